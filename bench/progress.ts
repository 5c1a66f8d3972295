/** How a run goes while it goes: rate and percentiles of the second that is over. On a terminal only. */
import { MultiBar, Presets } from 'cli-progress';
import type { Tick } from './client-protocol.js';
import { Latencies, percentile } from './latencies.js';
import type { Workload } from './workload.js';

export interface RunProgress {
  tick(second: number, tick: Tick): void;
  stop(): void;
}

const FORMAT =
  ' {title} {bar} {value}/{total} s | {acknowledged} placed/s, {delivered} delivered/s, {latencies}';

/** Every process tells of every second; it is shown once all have. */
export function progressOf(title: string, workload: Workload): RunProgress {
  if (!process.stderr.isTTY) return { tick() {}, stop() {} };
  const total = Math.ceil(workload.warmupSeconds + workload.seconds);
  const processes = workload.senderProcesses + workload.receiverProcesses;
  const bars = new MultiBar(
    { stream: process.stderr, format: FORMAT, hideCursor: true, clearOnComplete: true },
    Presets.shades_classic,
  );
  const nothing = { title, acknowledged: 0, delivered: 0, latencies: '' };
  const bar = bars.create(total, 0, nothing);
  const seconds = new Map<number, Second>();
  return {
    tick(number, tick) {
      const second = seconds.get(number) ?? new Second();
      seconds.set(number, second);
      second.add(tick);
      if (second.told < processes) return;
      seconds.delete(number);
      bar.update(Math.min(total, number), { title, ...second.shown() });
    },
    stop() {
      bars.stop();
    },
  };
}

class Second {
  told = 0;
  private acknowledged = 0;
  private delivered = 0;
  private readonly latencies = new Latencies();

  add({ acknowledged, delivered, latencies }: Tick): void {
    this.told++;
    this.acknowledged += acknowledged;
    this.delivered += delivered;
    this.latencies.add(latencies);
  }

  shown() {
    const { acknowledged, delivered } = this;
    if (delivered === 0) return { acknowledged, delivered, latencies: 'no latencies' };
    const histogram = this.latencies.histogram();
    const [p50, p99] = [50, 99].map((percent) => percentile(histogram, percent).toFixed(1));
    return { acknowledged, delivered, latencies: `p50 ${p50} ms, p99 ${p99} ms` };
  }
}
