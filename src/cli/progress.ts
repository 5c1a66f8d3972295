/** A progress bar on a terminal; elsewhere only the notes. */
import { MultiBar, Presets } from 'cli-progress';

export interface Progress {
  /** Begins a new stretch of the bar. */
  start(title: string, total: number): void;
  at(done: number): void;
  note(text: string): void;
  stop(): void;
}

/** Drawn so often at most, in ms. */
const DRAWN_MS = 100;

/** `say` prints a line for people, or not. */
export function progressOn(
  stream: NodeJS.WriteStream,
  isShown: boolean,
  say: (line: string) => void,
): Progress {
  if (!isShown || !stream.isTTY) return { start() {}, at() {}, note: say, stop() {} };
  const bars = new MultiBar(
    { stream, format: ' {bar} {percentage}% | {title}', clearOnComplete: true },
    Presets.shades_classic,
  );
  const bar = bars.create(1, 0, { title: 'starting' });
  let drawn = Number.NEGATIVE_INFINITY;
  // Timers draw it as well, but what it is about may leave them no time.
  const draw = () => {
    if (performance.now() - drawn < DRAWN_MS) return;
    bars.update();
    drawn = performance.now();
  };
  return {
    start(title, total) {
      bar.setTotal(total);
      bar.update(0, { title });
      draw();
    },
    at(done) {
      bar.update(done);
      draw();
    },
    note: (text) => void bars.log(`${text}\n`),
    stop() {
      bars.update();
      bars.stop();
    },
  };
}

/** Shows what is told with its name each time; another name begins a new stretch. */
export function shownBy({ start, at }: Progress): (what: string, done: number, total: number) => void {
  let title = '';
  return (what, done, total) => {
    if (what !== title) start(what, total);
    title = what;
    at(done);
  };
}

/** Nothing is said for so long, in ms, and then as long between two lines. */
const SILENT_MS = 2000;

/** The same in lines, for a log: none where it does not take long. */
export function saidNowAndThen(
  say: (line: string) => void,
  now = () => performance.now(),
): (what: string, done: number, total: number) => void {
  let last = now();
  return (what, done, total) => {
    if (now() - last < SILENT_MS) return;
    last = now();
    say(`${what}: ${Math.floor((100 * done) / total)} %`);
  };
}
