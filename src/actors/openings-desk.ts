/**
 * Takes requests for openings, one after the other and each in small steps, so that whatever it costs to rebuild an
 * epoch nobody else waits for more than a step. Who asks more than it may is told when to ask again.
 */
import { type Checkpoint, CountersignError, ERRORS, type OpenedItem } from '../protocol/index.js';
import { idAt } from './ids.js';
import { type Archive, type Opened, open } from './openings.js';
import type { Steps } from './stage-leaves.js';

export interface DeskOptions extends Archive {
  readonly checkpoint: () => Checkpoint;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
  readonly perMinute: () => number;
  /** Runs a function after what waits for this thread has had its turn. */
  readonly defer: (run: () => void) => void;
}

export interface Answer extends Opened {
  /** 0 = opened. */
  readonly error: number;
  readonly retryAfterMs: number;
  /** Of an error. */
  readonly text: string;
}

export interface Request {
  readonly asked: OpenedItem;
  /** Who asks; null = the operator. */
  readonly key: Uint8Array | null;
  /** Whether somebody still waits for the answer. */
  readonly isWanted: () => boolean;
  readonly answer: (answer: Answer) => void;
}

const MINUTE_MS = 60_000;
/** Of all who ask: a step is up to 2 ms, so this is a fifth of a core at the most. */
const STEPS_PER_MINUTE = 6000;
/** Who asks, where it is no key: has its turn first, and is not refused for what others ask. */
const OPERATOR = '';
/** Requests that wait, of all who ask. */
const MOST_WAITING = 1024;

export class OpeningsDesk {
  /** By who asks; each has one served, then the next one has its turn. */
  private readonly waiting = new Map<string, Request[]>();
  private count = 0;
  private serving: { readonly request: Request; readonly steps: Steps<Opened> } | null = null;
  private stopped = false;
  private minute = { since: Number.NEGATIVE_INFINITY, steps: 0, asked: new Map<string, number>() };

  constructor(private readonly options: DeskOptions) {}

  ask(request: Request): void {
    if (this.stopped) return request.answer(STOPPING);
    this.turnMinute();
    const { steps, asked } = this.minute;
    const who = request.key ? idAt(request.key, 0) : OPERATOR;
    const before = asked.get(who) ?? 0;
    const isSpent = before >= this.options.perMinute() || steps >= STEPS_PER_MINUTE;
    if ((who !== OPERATOR && isSpent) || this.count >= MOST_WAITING) return request.answer(this.busy());
    asked.set(who, before + 1);
    const waiting = this.waiting.get(who);
    if (waiting) waiting.push(request);
    else this.waiting.set(who, [request]);
    if (++this.count === 1) this.goOn();
  }

  private turnMinute(): void {
    const now = this.options.now();
    if (now - this.minute.since >= MINUTE_MS) this.minute = { since: now, steps: 0, asked: new Map() };
  }

  private busy(): Answer {
    const retryAfterMs = Math.ceil(this.minute.since + MINUTE_MS - this.options.now());
    return { ...refused('busy', 'too many openings this minute'), retryAfterMs };
  }

  /** The minute's steps are spent: who waits is told to come again, all but the operator. */
  private refuseKeys(): void {
    const operators = this.waiting.get(OPERATOR) ?? [];
    const waiting = [...this.waiting.values()].flat().filter(({ key }) => key !== null);
    if (this.serving?.request.key) {
      waiting.unshift(this.serving.request);
      this.serving = null;
    }
    this.waiting.clear();
    if (operators.length > 0) this.waiting.set(OPERATOR, operators);
    this.count -= waiting.length;
    const busy = this.busy();
    for (const { isWanted, answer } of waiting) if (isWanted()) answer(busy);
  }

  /** Nothing is read any more: the store is about to be closed. */
  stop(): void {
    this.stopped = true;
    const waiting = [...this.waiting.values()].flat();
    if (this.serving) waiting.unshift(this.serving.request);
    this.waiting.clear();
    this.serving = null;
    this.count = 0;
    for (const { isWanted, answer } of waiting) if (isWanted()) answer(STOPPING);
  }

  private goOn(): void {
    this.options.defer(() => {
      if (this.stopped) return;
      this.turnMinute();
      if (++this.minute.steps > STEPS_PER_MINUTE) this.refuseKeys();
      if (this.count > 0) this.step();
      if (this.count > 0) this.goOn();
    });
  }

  private step(): void {
    this.serving ??= this.next();
    const { request, steps } = this.serving;
    const answer = request.isWanted() ? stepOf(steps) : 'gone';
    if (!answer) return;
    this.serving = null;
    this.count--;
    if (answer !== 'gone') request.answer(answer);
  }

  private next() {
    const first = this.waiting.keys().next().value!;
    const who = this.waiting.has(OPERATOR) ? OPERATOR : first;
    const requests = this.waiting.get(who)!;
    const request = requests.shift()!;
    this.waiting.delete(who);
    if (requests.length > 0) this.waiting.set(who, requests);
    return { request, steps: open(this.options, request.asked, request.key, this.options.checkpoint()) };
  }
}

/** The answer, once it is there. */
function stepOf(steps: Steps<Opened>): Answer | null {
  try {
    const { done, value } = steps.next();
    return done ? { error: 0, retryAfterMs: 0, ...value, text: '' } : null;
  } catch (error) {
    if (error instanceof CountersignError) return refused(error.code, error.message);
    throw error;
  }
}

const STOPPING: Answer = { ...refused('busy', 'the server is stopping'), retryAfterMs: 1000 };

function refused(code: CountersignError['code'], text: string): Answer {
  return { error: ERRORS[code].number, retryAfterMs: 0, claims: [], submissions: [], text };
}
