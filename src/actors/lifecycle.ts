/**
 * The lifecycle of an actor, and what it lets through. An actor takes messages from the moment it is
 * made, but its state decides what becomes of them: held while it recovers, all taken while it runs,
 * no new work while it drains, nothing after that.
 *
 *   recovering ─ready→ running ─drain→ draining ─stop→ stopped;   any ─fault→ failed
 */
import { createActor, setup } from 'xstate';
import type { ActorMessage } from './messages.js';

type LifecycleEvent = { type: 'ready' } | { type: 'drain' } | { type: 'stop' } | { type: 'fault' };

export const lifecycleMachine = setup({ types: { events: {} as LifecycleEvent } }).createMachine({
  initial: 'recovering',
  on: { fault: { target: '.failed' } },
  states: {
    recovering: { on: { ready: 'running', stop: 'stopped' } },
    running: { on: { drain: 'draining', stop: 'stopped' } },
    draining: { on: { stop: 'stopped' } },
    stopped: { type: 'final' },
    failed: { type: 'final' },
  },
});

export type Verdict = 'take' | 'hold' | 'drop';

/** New work: not begun any more once an actor drains. */
const NEW_WORK: ReadonlySet<ActorMessage['type']> = new Set([
  'submit',
  'open-sender',
  'open-mailbox',
  'register-mailboxes',
  'ask-still',
]);

/** One actor's lifecycle. */
export class Lifecycle {
  private readonly machine = createActor(lifecycleMachine).start();

  send(type: LifecycleEvent['type']): void {
    this.machine.send({ type });
  }

  get state(): string {
    return this.machine.getSnapshot().value as string;
  }

  /** Stopped or failed. */
  get hasEnded(): boolean {
    return this.machine.getSnapshot().status === 'done';
  }

  /** What to do with a message that comes now. */
  admit(type: ActorMessage['type']): Verdict {
    // Not `matches`, which takes the name apart: this is asked for every message.
    switch (this.state) {
      case 'recovering':
        return 'hold';
      case 'running':
        return 'take';
      case 'draining':
        return NEW_WORK.has(type) ? 'drop' : 'take';
      default:
        return 'drop';
    }
  }
}
