/** A progress bar on a terminal; elsewhere only the notes. */
import { MultiBar, Presets } from 'cli-progress';

export interface Progress {
  /** Begins a new stretch of the bar. */
  start(title: string, total: number): void;
  at(done: number): void;
  note(text: string): void;
  stop(): void;
}

/** `say` prints a line for people, or not. */
export function progressOn(
  stream: NodeJS.WriteStream,
  isShown: boolean,
  say: (line: string) => void,
): Progress {
  if (!isShown || !stream.isTTY) return { start() {}, at() {}, note: say, stop() {} };
  const bars = new MultiBar(
    { stream, format: ' {bar} {percentage}% | {title}', hideCursor: true, clearOnComplete: true },
    Presets.shades_classic,
  );
  const bar = bars.create(1, 0, { title: 'starting' });
  return {
    start(title, total) {
      bar.setTotal(total);
      bar.update(0, { title });
    },
    at: (done) => bar.update(done),
    note: (text) => void bars.log(`${text}\n`),
    stop() {
      bars.update();
      bars.stop();
    },
  };
}
