/**
 * For what is preloaded into every thread of a server: its main thread is asked over the process's channel, and answers
 * for all of them, itself first.
 */
import { BroadcastChannel, isMainThread } from 'node:worker_threads';

type Answers = Readonly<Record<string, () => unknown>>;
type FromWorker = { readonly isHere: true } | { readonly answer: unknown };
const HERE: FromWorker = { isHere: true };

/** `answers`: by question, what one thread answers. */
export function answerForThreads(answers: Answers): void {
  const channel = new BroadcastChannel('bench');
  channel.unref();
  if (isMainThread) askAll(channel, answers);
  else {
    channel.onmessage = async (event) => {
      const { data } = event as { data: FromWorker | string };
      // Workers hear each other, too.
      if (typeof data === 'string') channel.postMessage({ answer: await answers[data]!() });
    };
    channel.postMessage(HERE);
  }
}

function askAll(channel: BroadcastChannel, answers: Answers): void {
  let workers = 0;
  let all: unknown[] = [];
  const add = (answer: unknown) => {
    if (all.push(answer) === 1 + workers) process.send!(all);
  };
  channel.onmessage = (event) => {
    const { data } = event as { data: FromWorker };
    if ('isHere' in data) workers++;
    else add(data.answer);
  };
  process.on('message', async (question: string) => {
    all = [];
    channel.postMessage(question);
    add(await answers[question]!());
  });
  process.channel?.unref();
}
