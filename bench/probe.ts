/**
 * Preloaded into every thread of a server that is measured: how long its event loops were blocked, and
 * what its heaps hold. Asked, it collects garbage, answers and starts anew.
 */
import { threadId } from 'node:worker_threads';
import { answerForThreads } from './threads.js';

export interface ThreadFigures {
  readonly thread: number;
  /** The longest time that a timer was late, in milliseconds, since the last answer. */
  readonly blockedMs: number;
  readonly heapBytes: number;
}

const EVERY_MS = 5;

let blockedMs = 0;
let last = performance.now();
setInterval(() => {
  const now = performance.now();
  blockedMs = Math.max(blockedMs, now - last - EVERY_MS);
  last = now;
}, EVERY_MS).unref();

function figures(): ThreadFigures {
  const answer = { thread: threadId, blockedMs, heapBytes: 0 };
  // The first leaves pages that are nearly empty, the second gives them back.
  for (let i = 0; i < 2; i++) (globalThis as { gc?: () => void }).gc?.();
  answer.heapBytes = process.memoryUsage().heapUsed;
  blockedMs = 0;
  last = performance.now();
  return answer;
}

answerForThreads({ figures });
