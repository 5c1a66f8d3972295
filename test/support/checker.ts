/**
 * A history checker: what clients sent, what they were promised, what reached applications. It names
 * what is wrong after Maelstrom's list of queue anomalies; an honest server has none in any schedule.
 * Pure: plain arrays in, complaints out.
 */
import { comparePlaces, formatPlace, type Place } from '../../src/protocol/place.js';

/** An application handed a message to its client. In the order of the sender's calls. */
export interface Sent {
  readonly message: string;
  readonly sender: string;
  readonly to: readonly string[];
  /** The newest place that this sender had been shown or promised before it sent. */
  readonly seen: Place | null;
}

/** A receipt. `message` is null when the client has forgotten which it was: after its own restart. */
export interface Receipted {
  readonly sender: string;
  readonly counter: number;
  readonly place: Place;
  readonly message: string | null;
}

/** The client gave the message back with an error that says: not taken in. */
export interface Aborted {
  readonly message: string;
}

/** A message reached an application. In the order of that mailbox. */
export interface Delivered {
  readonly mailbox: string;
  readonly message: string;
  readonly sender: string;
  readonly counter: number;
  readonly place: Place;
  /** Lives of the mailbox's client: a life that was killed may leave messages that come again in the next. */
  readonly life: number;
}

export interface History {
  readonly sent: readonly Sent[];
  readonly receipted: readonly Receipted[];
  readonly aborted: readonly Aborted[];
  readonly delivered: readonly Delivered[];
  /** Lives (`mailbox life`) that ended in order: everything they were shown is acknowledged for good. */
  readonly closed: ReadonlySet<string>;
}

export type AnomalyKind =
  /** Receipted, never delivered to a recipient. */
  | 'lost'
  /** Delivered to one recipient, never to another. */
  | 'unobserved'
  /** Delivered twice. */
  | 'duplicated'
  /** Places that do not rise in one mailbox, or a redelivery that is not what was shown before. */
  | 'misordered'
  /** A hole in a sender's counters, at one recipient or over all clients. */
  | 'skipped'
  /** Given back to the application as not sent, and delivered or receipted all the same. */
  | 'aborted but delivered'
  /** Never sent, or not to this mailbox, or by another. */
  | 'invented'
  /** A sender's messages in another order than it sent them. */
  | 'not first in, first out'
  /** Sent after something was seen, and placed before it. */
  | 'effect before cause'
  /** A message with two places or two counters, or a place with two messages. */
  | 'not one order';

export interface Anomaly {
  readonly kind: AnomalyKind;
  readonly what: string;
}

type Complain = (kind: AnomalyKind, what: string) => void;

/** What is known of one message from everybody's events together. */
interface Known {
  readonly message: string;
  place: Place | null;
  counter: number;
  receipted: boolean;
  readonly at: Set<string>;
}

/** Everything that is wrong with a history that has come to rest. */
export function checkHistory(history: History): Anomaly[] {
  const anomalies: Anomaly[] = [];
  const complain: Complain = (kind, what) => anomalies.push({ kind, what });
  const mailboxes = applications(history, complain);
  const known = gather(history, complain);
  checkOneOrder(history, known, complain);
  checkArrivals(history, known, complain);
  checkAborted(history, known, complain);
  checkCauses(history, known, complain);
  checkCounters(history, known, complain);
  for (const [mailbox, delivered] of mailboxes) checkMailbox(mailbox, delivered, history, known, complain);
  return anomalies;
}

/**
 * What an application saw over all lives of its client. After a killed life the last messages may come
 * again, in the same order and without a hole; applications skip what lies at or below their last place.
 */
function applications(history: History, complain: Complain): Map<string, Delivered[]> {
  const mailboxes = new Map<string, Delivered[]>();
  const lives = new Map<string, Delivered[]>();
  for (const each of history.delivered) {
    const key = `${each.mailbox} ${each.life}`;
    const life = lives.get(key) ?? [];
    lives.set(key, life);
    life.push(each);
  }
  for (const [key, life] of lives) {
    const { mailbox, life: number } = life[0]!;
    const before = mailboxes.get(mailbox) ?? [];
    const again = redelivered(before, life);
    if (again > 0 && history.closed.has(`${mailbox} ${number - 1}`))
      complain('duplicated', `${mailbox}: ${life[0]!.message} came again after an orderly close`);
    if (again < 0) complain('misordered', `${key}: what came again is not what was shown before`);
    mailboxes.set(mailbox, [...before, ...life.slice(Math.max(0, again))]);
  }
  return mailboxes;
}

/** How many messages at the start of a life were shown before; −1 when they are not the last ones. */
function redelivered(before: readonly Delivered[], life: readonly Delivered[]): number {
  const last = before.at(-1);
  if (!last || comparePlaces(life[0]!.place, last.place) > 0) return 0;
  const from = before.findIndex(({ place }) => comparePlaces(place, life[0]!.place) === 0);
  if (from < 0) return -1;
  const again = Math.min(before.length - from, life.length);
  for (let i = 0; i < again; i++) if (before[from + i]!.message !== life[i]!.message) return -1;
  return again;
}

function gather({ sent, receipted, delivered }: History, complain: Complain): Map<string, Known> {
  const known = new Map<string, Known>();
  for (const { message } of sent)
    known.set(message, { message, place: null, counter: 0, receipted: false, at: new Set() });
  const intended = new Map(sent.map((each) => [each.message, each]));
  const byCounter = new Map<string, string>();
  const learn = (message: string, sender: string, counter: number, place: Place) => {
    const entry = known.get(message);
    const { place: old } = entry ?? { place: null };
    if (!entry || intended.get(message)!.sender !== sender)
      return complain('invented', `${message} by ${sender}, who did not send it`);
    if (old && (comparePlaces(old, place) !== 0 || entry.counter !== counter))
      complain('not one order', `${message} at ${formatPlace(old)} and at ${formatPlace(place)}`);
    entry.place = place;
    entry.counter = counter;
    byCounter.set(`${sender} ${counter}`, message);
  };
  for (const { message, sender, counter, place, mailbox } of delivered) {
    learn(message, sender, counter, place);
    known.get(message)?.at.add(mailbox);
    if (intended.has(message) && !intended.get(message)!.to.includes(mailbox))
      complain('invented', `${message} at ${mailbox}, to whom it was not sent`);
  }
  for (const { message, sender, counter, place } of receipted) {
    const name = message ?? byCounter.get(`${sender} ${counter}`);
    if (name === undefined) {
      complain('lost', `${sender} has a receipt for its counter ${counter}, which nobody ever got`);
      continue;
    }
    learn(name, sender, counter, place);
    const entry = known.get(name);
    if (entry) entry.receipted = true;
  }
  return known;
}

function checkOneOrder(
  { delivered, receipted }: History,
  known: ReadonlyMap<string, Known>,
  complain: Complain,
) {
  const at = new Map<string, string>();
  const take = (place: Place, message: string) => {
    const key = formatPlace(place);
    const other = at.get(key) ?? message;
    if (other !== message) complain('not one order', `${other} and ${message} at ${key}`);
    at.set(key, message);
  };
  for (const { place, message } of delivered) take(place, message);
  for (const { place, message } of receipted) if (message && known.has(message)) take(place, message);
}

function checkArrivals({ sent }: History, known: ReadonlyMap<string, Known>, complain: Complain): void {
  for (const { message, to } of sent) {
    const { receipted, at, place } = known.get(message)!;
    for (const mailbox of to) {
      if (at.has(mailbox)) continue;
      if (receipted)
        complain('lost', `${message} at ${formatPlace(place!)} has a receipt, ${mailbox} never got it`);
      else if (at.size > 0) complain('unobserved', `${message}: ${[...at]} got it, ${mailbox} never`);
    }
  }
}

function checkAborted({ aborted }: History, known: ReadonlyMap<string, Known>, complain: Complain): void {
  for (const { message } of aborted) {
    const entry = known.get(message);
    if (entry?.place) complain('aborted but delivered', `${message} at ${formatPlace(entry.place)}`);
  }
}

function checkCauses({ sent }: History, known: ReadonlyMap<string, Known>, complain: Complain): void {
  for (const { message, seen } of sent) {
    const place = known.get(message)?.place;
    if (!place || !seen || place.epoch > seen.epoch) continue;
    complain(
      'effect before cause',
      `${message} at ${formatPlace(place)} was sent after ${formatPlace(seen)} was seen`,
    );
  }
}

/** Every sender's counters are 1, 2, 3 …, and rise with its places and in the order of its calls. */
function checkCounters(
  { sent, receipted }: History,
  known: ReadonlyMap<string, Known>,
  complain: Complain,
): void {
  const used = new Map<string, Set<number>>();
  const use = (sender: string, counter: number) =>
    used.set(sender, (used.get(sender) ?? new Set()).add(counter));
  const last = new Map<string, Known>();
  for (const { message, sender } of sent) {
    const now = known.get(message)!;
    if (!now.place) continue;
    use(sender, now.counter);
    const before = last.get(sender);
    last.set(sender, now);
    if (before && (before.counter >= now.counter || comparePlaces(before.place!, now.place) >= 0))
      complain('not first in, first out', `${sender}: ${message} after ${before.message}`);
  }
  for (const { sender, counter } of receipted) use(sender, counter);
  for (const [sender, counters] of used) {
    const highest = Math.max(...counters);
    for (let i = 1; i <= highest; i++)
      if (!counters.has(i)) complain('skipped', `${sender}: ${highest} was used, ${i} never`);
  }
}

function checkMailbox(
  mailbox: string,
  delivered: readonly Delivered[],
  { sent }: History,
  known: ReadonlyMap<string, Known>,
  complain: Complain,
): void {
  const seen = new Set<string>();
  const highest = new Map<string, number>();
  let last: Delivered | undefined;
  for (const each of delivered) {
    if (seen.has(each.message)) complain('duplicated', `${mailbox}: ${each.message}`);
    seen.add(each.message);
    if (last && comparePlaces(last.place, each.place) >= 0)
      complain('misordered', `${mailbox}: ${formatPlace(each.place)} after ${formatPlace(last.place)}`);
    last = each;
    if (each.counter <= (highest.get(each.sender) ?? 0))
      complain('not first in, first out', `${mailbox}: ${each.sender} ${each.counter}`);
    highest.set(each.sender, each.counter);
  }
  for (const { message, sender, to } of sent) {
    const { counter } = known.get(message)!;
    if (counter === 0 || seen.has(message) || !to.includes(mailbox)) continue;
    if (counter < (highest.get(sender) ?? 0))
      complain('skipped', `${mailbox}: ${sender} ${highest.get(sender)} came, ${counter} was left out`);
  }
}
