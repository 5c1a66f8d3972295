/**
 * The sequencer's phases: when an epoch is closed, and what must have happened before the next.
 *
 *   recovering → reserving → resting → waiting → collecting → committing → resting …
 *
 * - An epoch is closed when there is work, nothing is committing and the minimum interval since the
 *   last close has passed; or, without work, after the heartbeat. So one epoch commits while the
 *   next fills, and a lone message on an idle server closes an epoch at once.
 * - No number is used that is not durably reserved.
 * - When the server drains, epochs are closed until every inbox is empty.
 */
import { assign, setup } from 'xstate';

export type PhaseEvent =
  | { type: 'recovered' }
  | { type: 'reserved' }
  | { type: 'work' }
  | { type: 'attested' }
  | { type: 'durable' }
  | { type: 'emptied' }
  | { type: 'fault' };

interface Context {
  /** Something waits in an inbox, or a still was asked for. */
  readonly work: boolean;
  /** The server drains, and every inbox has said that it is empty. */
  readonly emptied: boolean;
}

const unset = (name: string) => () => {
  throw new Error(`epoch phases: '${name}' is not provided`);
};

/** Actions, guards on the outside and delays are provided by the sequencer. */
export const epochPhases = setup({
  types: { context: {} as Context, events: {} as PhaseEvent },
  actions: {
    reserve: unset('reserve'),
    close: unset('close'),
    commit: unset('commit'),
    publish: unset('publish'),
    finish: unset('finish'),
  },
  guards: {
    needsReservation: unset('needsReservation') as () => boolean,
    rested: unset('rested') as () => boolean,
    hasWork: ({ context }) => context.work,
    isDone: ({ context }) => context.emptied && !context.work,
  },
  delays: { rest: unset('rest') as () => number, heartbeat: unset('heartbeat') as () => number },
}).createMachine({
  initial: 'recovering',
  context: { work: false, emptied: false },
  on: {
    work: { actions: assign({ work: true, emptied: false }) },
    emptied: { actions: assign({ emptied: true }) },
    fault: { target: '.failed' },
  },
  states: {
    recovering: { on: { recovered: 'reserving' } },
    reserving: { entry: 'reserve', on: { reserved: 'resting' } },
    resting: {
      always: [
        { guard: 'needsReservation', target: 'reserving' },
        { guard: 'rested', target: 'waiting' },
      ],
      after: { rest: 'waiting' },
    },
    waiting: {
      always: [
        { guard: 'isDone', target: 'stopped' },
        { guard: 'hasWork', target: 'collecting' },
      ],
      after: { heartbeat: 'collecting' },
    },
    collecting: { entry: [assign({ work: false }), 'close'], on: { attested: 'committing' } },
    committing: { entry: 'commit', on: { durable: { target: 'resting', actions: 'publish' } } },
    stopped: { type: 'final', entry: 'finish' },
    failed: { type: 'final' },
  },
});
