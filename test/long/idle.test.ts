/** A server that nobody uses costs next to nothing, and still closes its epochs. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { directory } from '../client-helpers.js';
import { ServerProcess } from '../support/server-process.js';

const SECONDS = 5;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** CPU seconds of a process so far, all threads. Linux. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]!.split(' ');
  const ticks = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
  return (Number(fields[11]) + Number(fields[12])) / ticks;
}

async function logSize(url: string): Promise<number> {
  return Number((await (await fetch(`${url}/v1/checkpoint`)).text()).split('\n')[1]);
}

test('under 2 % of a core when idle, with a heartbeat every second', async () => {
  const server = await ServerProcess.at(directory('idle'));
  await server.start();
  try {
    await pause(2000);
    const [size, cpu] = [await logSize(server.url), cpuSeconds(server.pid)];
    await pause(SECONDS * 1000);
    const used = (cpuSeconds(server.pid) - cpu) / SECONDS;
    const epochs = (await logSize(server.url)) - size;
    console.log(`idle: ${(used * 100).toFixed(1)} % of a core, ${epochs} epochs in ${SECONDS} s`);
    assert.ok(used < 0.02, `${used * 100} % of a core`);
    assert.ok(epochs >= SECONDS - 1 && epochs <= SECONDS + 1, `${epochs} epochs`);
  } finally {
    await server.kill();
  }
});

test.run();
