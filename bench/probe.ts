/**
 * Preloaded into every thread of a server that is measured: how long its event loops were blocked, and
 * what its heaps hold. Asked over the process's channel, it collects garbage, answers and starts anew.
 */
import { BroadcastChannel, isMainThread, threadId } from 'node:worker_threads';

export interface ThreadFigures {
  readonly thread: number;
  /** The longest time that a timer was late, in milliseconds, since the last answer. */
  readonly blockedMs: number;
  readonly heapBytes: number;
}

const EVERY_MS = 5;
const ANSWERS_MS = 500;
const channel = new BroadcastChannel('bench probe');
channel.unref();

let blockedMs = 0;
let last = performance.now();
setInterval(() => {
  const now = performance.now();
  blockedMs = Math.max(blockedMs, now - last - EVERY_MS);
  last = now;
}, EVERY_MS).unref();

function figures(): ThreadFigures {
  const answer = { thread: threadId, blockedMs, heapBytes: 0 };
  (globalThis as { gc?: () => void }).gc?.();
  answer.heapBytes = process.memoryUsage().heapUsed;
  blockedMs = 0;
  last = performance.now();
  return answer;
}

if (isMainThread) {
  const others: ThreadFigures[] = [];
  channel.onmessage = (event) => {
    others.push((event as { data: ThreadFigures }).data);
  };
  process.on('message', () => {
    others.length = 0;
    const own = figures();
    channel.postMessage('ask');
    setTimeout(() => process.send!([own, ...others]), ANSWERS_MS);
  });
  process.channel?.unref();
} else {
  channel.onmessage = (event) => {
    if ((event as { data: unknown }).data === 'ask') channel.postMessage(figures());
  };
}
