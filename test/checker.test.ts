/** The history checker finds every anomaly that is planted, and nothing in a good history. */
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  type AnomalyKind,
  checkHistory,
  type Delivered,
  type History,
  type Sent,
} from './support/checker.js';

const test = suite('history checker');

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type Plan = {
  sent: Mutable<Sent>[];
  receipted: { sender: string; counter: number; place: Delivered['place']; message: string | null }[];
  aborted: { message: string }[];
  delivered: Mutable<Delivered>[];
  closed: Set<string>;
};

const place = (epoch: number, index = 0) => ({ epoch, inbox: 0, index });

/** a sends a1, a2, a3 to b and c; b answers b1 to both after it saw a2; a4 was refused; c's client died once. */
function good(): Plan {
  const to = ['b', 'c'];
  const a = (n: number) => ({ message: `a${n}`, sender: 'a', to, seen: null });
  const got = (mailbox: string, sender: string, counter: number, at: Delivered['place'], life = 1) => ({
    mailbox,
    message: `${sender}${counter}`,
    sender,
    counter,
    place: at,
    life,
  });
  return {
    sent: [a(1), a(2), a(3), a(4), { message: 'b1', sender: 'b', to, seen: place(2, 0) }],
    receipted: [
      { sender: 'a', counter: 1, place: place(1, 0), message: 'a1' },
      { sender: 'a', counter: 2, place: place(2, 0), message: 'a2' },
      { sender: 'a', counter: 3, place: place(2, 1), message: 'a3' },
      { sender: 'b', counter: 1, place: place(3, 0), message: null },
    ],
    aborted: [{ message: 'a4' }],
    delivered: [
      got('b', 'a', 1, place(1, 0)),
      got('b', 'a', 2, place(2, 0)),
      got('b', 'a', 3, place(2, 1)),
      got('b', 'b', 1, place(3, 0)),
      got('c', 'a', 1, place(1, 0)),
      got('c', 'a', 2, place(2, 0)),
      got('c', 'a', 2, place(2, 0), 2),
      got('c', 'a', 3, place(2, 1), 2),
      got('c', 'b', 1, place(3, 0), 2),
    ],
    closed: new Set(),
  };
}

const kinds = (history: History) => [...new Set(checkHistory(history).map(({ kind }) => kind))];

const PLANTED: readonly (readonly [string, AnomalyKind, (plan: Plan) => void])[] = [
  ['a receipted message that no recipient got', 'lost', ({ delivered }) => remove(delivered, 'b1')],
  ['a receipted message that one recipient did not get', 'lost', ({ delivered }) => delivered.pop()],
  [
    'a message that one of two got, without a receipt',
    'unobserved',
    ({ delivered, receipted }) => {
      delivered.pop();
      receipted.pop();
    },
  ],
  ['twice in one life', 'duplicated', ({ delivered }) => delivered.push(delivered.at(-1)!)],
  ['again after an orderly close', 'duplicated', ({ closed }) => closed.add('c 1')],
  ['two swapped in a mailbox', 'misordered', ({ delivered }) => swap(delivered, 2, 3)],
  ['a redelivery of something else', 'misordered', ({ delivered }) => (delivered[6]!.message = 'a3')],
  ['a redelivery with a hole', 'misordered', ({ delivered }) => (delivered[6]!.place = place(1, 7))],
  ['a hole at one recipient', 'skipped', ({ delivered }) => delivered.splice(1, 1)],
  [
    'a hole in the counters of all',
    'skipped',
    (plan) => {
      plan.receipted.splice(1, 1);
      plan.aborted.push({ message: 'a2' });
      remove(plan.delivered, 'a2');
    },
  ],
  ['refused and delivered', 'aborted but delivered', ({ aborted }) => aborted.push({ message: 'a1' })],
  ['never sent', 'invented', ({ sent }) => sent.pop()],
  ['not sent to this one', 'invented', ({ sent }) => (sent[0]!.to = ['b'])],
  ['by another sender', 'invented', ({ sent }) => (sent[4]!.sender = 'a')],
  ['sent in another order', 'not first in, first out', ({ sent }) => swap(sent, 0, 1)],
  ['an answer in the epoch of its cause', 'effect before cause', ({ sent }) => (sent[4]!.seen = place(3, 0))],
  ['two places', 'not one order', ({ delivered }) => (delivered[8]!.place = place(4, 0))],
  ['two messages at a place', 'not one order', ({ receipted }) => (receipted[1]!.place = place(1, 0))],
];

function remove(delivered: Plan['delivered'], message: string): void {
  for (let i = delivered.length - 1; i >= 0; i--)
    if (delivered[i]!.message === message) delivered.splice(i, 1);
}

function swap<T>(list: T[], a: number, b: number): void {
  [list[a], list[b]] = [list[b]!, list[a]!];
}

test('a good history has no anomaly', () => {
  assert.equal(checkHistory(good()), []);
});

for (const [name, kind, plant] of PLANTED) {
  test(`planted: ${name}`, () => {
    const plan = good();
    plant(plan);
    assert.ok(kinds(plan).includes(kind), `${kind} expected, found ${kinds(plan).join(', ') || 'nothing'}`);
  });
}

test.run();
