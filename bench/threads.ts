/**
 * For what is preloaded into every thread of a server: its main thread is asked over the process's channel, and answers
 * for all of them, itself first.
 */
import { BroadcastChannel, isMainThread } from 'node:worker_threads';

type Question = Readonly<Record<string, () => unknown>>;

/** `answers`: by question, what one thread answers. */
export function answerForThreads(answers: Question): void {
  const channel = new BroadcastChannel('bench');
  channel.unref();
  if (isMainThread) askAll(channel, answers);
  else {
    channel.onmessage = async (event) => {
      const { data } = event as { data: string };
      channel.postMessage({ answer: await answers[data]!() });
    };
    channel.postMessage('here');
  }
}

function askAll(channel: BroadcastChannel, answers: Question): void {
  let workers = 0;
  let all: unknown[] = [];
  const add = (answer: unknown) => {
    if (all.push(answer) === 1 + workers) process.send!(all);
  };
  channel.onmessage = (event) => {
    const { data } = event as { data: 'here' | { answer: unknown } };
    if (data === 'here') workers++;
    else add(data.answer);
  };
  process.on('message', async (question: string) => {
    all = [];
    channel.postMessage(question);
    add(await answers[question]!());
  });
  process.channel?.unref();
}
