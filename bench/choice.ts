/**
 * To whom a sender's next message goes. Every sender draws from a sequence of its own, made of the workload's seed and its
 * number, so a seed gives every system the same messages, whatever the order in which its answers come.
 *
 * uniform: every mailbox alike. zipf: mailbox i (from 1) with weight i^−s. groups: all members of one group, every group
 * alike. friends: every mailbox of the sender's line alike. Several recipients are drawn one after the other; one that
 * is there already is drawn again.
 */
import { readFileSync } from 'node:fs';
import { type Random, randomFrom } from './random.js';
import type { Workload } from './workload.js';

/** The recipients of the next message: different mailboxes, as many as the workload says. */
export type Choose = () => number[];

/** How often, on average, a recipient may have to be drawn until it is a new one. */
const MOST_DRAWS = 1000;
/** So that recipients have nothing to do with the times of sending, which come from the same seed. */
const PURPOSE = 1;

/** For each sender its own. Throws `TypeError` on friends that do not fit, or too few mailboxes that are ever drawn. */
export function choiceOf(workload: Workload): (sender: number) => Choose {
  const { choice, mailboxes, recipients, seed } = workload;
  const random = (sender: number) => randomFrom(seed, PURPOSE, sender);
  switch (choice.kind) {
    case 'uniform':
      return (sender) => different(recipients, below(mailboxes, random(sender)));
    case 'zipf': {
      const draw = zipf(mailboxes, choice.s);
      checkTail(mailboxes, choice.s, recipients);
      return (sender) => {
        const chance = random(sender);
        return different(recipients, () => draw(chance));
      };
    }
    case 'groups':
      return (sender) => group(choice.size, below(mailboxes / choice.size, random(sender)));
    case 'friends': {
      const lines = friendsFrom(choice.file, mailboxes, recipients);
      return (sender) => {
        const friends = lines[sender % lines.length]!;
        const draw = below(friends.length, random(sender));
        return different(recipients, () => friends[draw()]!);
      };
    }
  }
}

const below = (count: number, random: Random) => () => Math.floor(random() * count);

function group(size: number, draw: () => number): Choose {
  return () => {
    const first = draw() * size;
    return Array.from({ length: size }, (_, i) => first + i);
  };
}

/** A list is looked through while it is short: that costs less than a set. */
function different(count: number, draw: () => number): Choose {
  if (count === 1) return () => [draw()];
  if (count <= 16)
    return () => {
      const chosen: number[] = [];
      while (chosen.length < count) {
        const one = draw();
        if (!chosen.includes(one)) chosen.push(one);
      }
      return chosen;
    };
  return () => {
    const chosen = new Set<number>();
    while (chosen.size < count) chosen.add(draw());
    return [...chosen];
  };
}

/**
 * Ranks from 0 below `count` with weight (rank + 1)^−s, exactly and without a table: rejection-inversion (Hörmann and
 * Derflinger, "Rejection-inversion to generate variates from monotone discrete distributions", 1996).
 */
export function zipf(count: number, s: number): (random: Random) => number {
  const weight = (x: number) => Math.exp(-s * Math.log(x));
  const area = (x: number) => areaTo(x, s);
  const first = area(1.5) - 1;
  const last = area(count + 0.5);
  const sure = 2 - rankAt(area(2.5) - weight(2), s);
  return (random) => {
    for (;;) {
      const at = last + random() * (first - last);
      const x = rankAt(at, s);
      const rank = Math.min(count, Math.max(1, Math.floor(x + 0.5)));
      if (rank - x <= sure || at >= area(rank + 0.5) - weight(rank)) return rank - 1;
    }
  };
}

/** The integral of x^−s, shifted so that it is 0 at 1; its limit where s is 1. */
function areaTo(x: number, s: number): number {
  const log = Math.log(x);
  const t = (1 - s) * log;
  return (Math.abs(t) < 1e-8 ? 1 + t / 2 : Math.expm1(t) / t) * log;
}

/** The inverse of `areaTo`. */
function rankAt(area: number, s: number): number {
  const t = Math.max(-1, area * (1 - s));
  return Math.exp((Math.abs(t) < 1e-8 ? 1 - t / 2 : Math.log1p(t) / t) * area);
}

function checkTail(mailboxes: number, s: number, recipients: number): void {
  let [tail, all] = [0, 0];
  for (let rank = 1; rank <= mailboxes; rank++) {
    const weight = rank ** -s;
    all += weight;
    if (rank >= recipients) tail += weight;
  }
  if (all / tail > MOST_DRAWS)
    throw new TypeError(`choice.s: ${s} makes ${recipients} different recipients too rare`);
}

function friendsFrom(file: string, mailboxes: number, recipients: number): number[][] {
  const lines = readFileSync(file, 'utf8').split('\n');
  if (lines.at(-1)?.trim() === '') lines.pop();
  return lines.map((line, i) => {
    const fail = (text: string) => new TypeError(`choice.file: ${file}, line ${i + 1}: ${text}`);
    const words = line.trim().split(/\s+/);
    const friends = [...new Set(words.map(Number))];
    if (!words.every((word) => /^\d+$/.test(word) && Number(word) < mailboxes))
      throw fail(`expected numbers of mailboxes from 0 to ${mailboxes - 1}`);
    if (friends.length < recipients)
      throw fail(`expected ${recipients} different mailboxes at least, got ${friends.length}`);
    return friends;
  });
}
