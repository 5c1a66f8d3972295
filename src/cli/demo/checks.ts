/**
 * Holds what the demo's clients saw against what was planned. Pure functions, each with one question;
 * an answer is a list of what is wrong, in words, and empty when all is well.
 */
import { comparePlaces, formatPlace, type Place } from '../../protocol/index.js';
import type { Plan } from './plan.js';

/** A message as it stood in a client's mailbox or, without `client`, in its sender's receipt. */
export interface Standing {
  /** Number in the plan; −1 when the plan has no such message. */
  readonly message: number;
  readonly place: Place;
  /** The sender's own number of it, from 1. */
  readonly counter: number;
  /** Message hash, hexadecimal: covers sender, counter, recipients and body. */
  readonly hash: string;
}

export interface Delivered extends Standing {
  /** Client of the plan that the message says it is from; −1 for none. */
  readonly sender: number;
}

export interface Seen {
  /** By client, in the order in which they were shown. */
  readonly mailboxes: readonly (readonly Delivered[])[];
  /** By message of the plan. */
  readonly receipts: readonly (Standing | undefined)[];
  /** By client: how many messages ever came or went, as its mailbox is proven to stand at the end. */
  readonly totals: readonly number[];
}

export interface Findings {
  readonly lost: readonly string[];
  readonly duplicated: readonly string[];
  readonly misordered: readonly string[];
  /** Invented, or other than what was sent. */
  readonly altered: readonly string[];
}

export function check(plan: Plan, seen: Seen): Findings {
  return {
    lost: [...missingDeliveries(plan, seen), ...missingReceipts(seen)],
    duplicated: shownTwice(seen),
    misordered: [
      ...fallingPlaces(seen),
      ...severalPlaces(seen),
      ...sharedPlaces(seen),
      ...overtaken(plan, seen),
    ],
    altered: [
      ...unplanned(plan, seen),
      ...severalHashes(seen),
      ...wrongCounters(plan, seen),
      ...wrongTotals(plan, seen),
    ],
  };
}

export function isClean(findings: Findings): boolean {
  return Object.values(findings).every((list) => list.length === 0);
}

function missingDeliveries(plan: Plan, { mailboxes }: Seen): string[] {
  const shown = mailboxes.map((mailbox) => new Set(mailbox.map(({ message }) => message)));
  return plan.messages.flatMap(({ to }, message) =>
    to
      .filter((client) => !shown[client]!.has(message))
      .map((client) => `message ${message} is not shown to client ${client}`),
  );
}

function missingReceipts({ receipts }: Seen): string[] {
  return Array.from(receipts).flatMap((receipt, message) =>
    receipt ? [] : [`message ${message} has no receipt`],
  );
}

function shownTwice({ mailboxes }: Seen): string[] {
  return mailboxes.flatMap((mailbox, client) => {
    const shown = new Set<number>();
    return mailbox.flatMap(({ message }) => {
      const again = message >= 0 && shown.has(message);
      shown.add(message);
      return again ? [`message ${message} is shown twice to client ${client}`] : [];
    });
  });
}

/** Not in the plan, not for this client, or not from its sender. */
function unplanned(plan: Plan, { mailboxes }: Seen): string[] {
  return mailboxes.flatMap((mailbox, client) =>
    mailbox
      .filter(({ message, sender }) => {
        const planned = plan.messages[message];
        return !planned?.to.includes(client) || planned.sender !== sender;
      })
      .map(({ place }) => `what client ${client} is shown at ${formatPlace(place)} was never sent to it so`),
  );
}

/** Each mailbox shows a strictly rising order. */
function fallingPlaces({ mailboxes }: Seen): string[] {
  return mailboxes.flatMap((mailbox, client) =>
    mailbox
      .filter(({ place }, i) => i > 0 && comparePlaces(mailbox[i - 1]!.place, place) >= 0)
      .map(({ place }) => `client ${client} is shown ${formatPlace(place)} too late`),
  );
}

/** All who see a message see it at one place: so the orders of all mailboxes are parts of one. */
function severalPlaces(seen: Seen): string[] {
  return everyMessage(seen).flatMap(([message, standings]) => {
    const places = new Set(standings.map(({ place }) => formatPlace(place)));
    return places.size > 1 ? [`message ${message} stands at ${[...places].join(' and ')}`] : [];
  });
}

/** No place holds two messages. */
function sharedPlaces(seen: Seen): string[] {
  const holders = new Map<string, number>();
  return everyMessage(seen).flatMap(([message, [{ place }]]) => {
    const name = formatPlace(place);
    const holder = holders.get(name);
    holders.set(name, message);
    return holder === undefined ? [] : [`messages ${holder} and ${message} both stand at ${name}`];
  });
}

/** What a sender sent later stands later. */
function overtaken(plan: Plan, seen: Seen): string[] {
  const last = new Map<number, Place>();
  return everyMessage(seen).flatMap(([message, [{ place }]]) => {
    const sender = plan.messages[message]!.sender;
    const before = last.get(sender);
    last.set(sender, place);
    const wrong = before !== undefined && comparePlaces(before, place) >= 0;
    return wrong ? [`message ${message} of client ${sender} stands before an earlier one of it`] : [];
  });
}

/** A message hash covers all that was sent: all recipients and the sender must have the same. */
function severalHashes(seen: Seen): string[] {
  return everyMessage(seen)
    .filter(([, standings]) => new Set(standings.map(({ hash }) => hash)).size > 1)
    .map(([message]) => `message ${message} is not the same for all who see it`);
}

/** A sender's messages are numbered from 1 without a gap. */
function wrongCounters(plan: Plan, seen: Seen): string[] {
  const sent = new Map<number, number>();
  const expected = plan.messages.map(({ sender }) => {
    const counter = (sent.get(sender) ?? 0) + 1;
    sent.set(sender, counter);
    return counter;
  });
  return everyMessage(seen)
    .filter(([message, standings]) => standings.some(({ counter }) => counter !== expected[message]))
    .map(([message]) => `message ${message} has another number than its sender gave it`);
}

/** Nothing else stands in a mailbox than what was shown: what came, and what its owner sent. */
function wrongTotals(plan: Plan, { totals }: Seen): string[] {
  return Array.from({ length: plan.clients }, (_, client) => {
    const own = plan.messages.filter(({ sender, to }) => sender === client || to.includes(client)).length;
    return totals[client] === own
      ? []
      : [`the chain of client ${client} has ${totals[client]} messages, not ${own}`];
  }).flat();
}

type Standings = [Standing, ...Standing[]];

/** Every message of the plan that was seen at all, in the order of sending, with all sights of it. */
function everyMessage({ mailboxes, receipts }: Seen): [number, Standings][] {
  const all: Standing[][] = receipts.map((receipt) => (receipt ? [receipt] : []));
  for (const standing of mailboxes.flat()) all[standing.message]?.push(standing);
  return [...all.entries()].filter((entry): entry is [number, Standings] => entry[1].length > 0);
}
