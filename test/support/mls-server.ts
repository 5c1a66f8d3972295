/** A server, and the devices of examples/mls that come to it. */
import { verify } from 'node:crypto';
import { join } from 'node:path';
import type { Test } from 'uvu';
import * as assert from 'uvu/assert';
import { directory } from '../client-helpers.js';
import { agree, Device } from './mls-group.js';
import { ServerProcess } from './server-process.js';

export const cwd = directory('mls');
export const server = await ServerProcess.at(join(cwd, 'data'), { inboxes: '2', outboxes: '2' });
export const servers = [server];
export const devices: Device[] = [];

export async function come(name: string, folder = cwd): Promise<Device> {
  const device = await new Device(name, folder).come(server.url);
  devices.push(device);
  return device;
}

/** Alice has made the group and invited the others: one epoch each. */
export async function group(...names: string[]): Promise<Device[]> {
  const folder = directory('mls-group');
  const all = await Promise.all(['alice', ...names].map((name) => come(name, folder)));
  const [alice, ...others] = all as [Device, ...Device[]];
  await alice.member.create('group');
  for (const other of others) await alice.invite(other);
  await agree(others.length, ...all);
  return all;
}

/** Nothing that came was refused by anybody, no log was forked or suspected to be, and every anchor was comparable or new. */
export async function assertQuiet(...all: readonly Device[]): Promise<void> {
  await Promise.all(all.map(({ log }) => log.asked()));
  for (const device of all) {
    assert.equal([device.of('refused'), device.forks, device.suspicions], [[], [], []], device.name);
    for (const { result } of device.of('anchor')) assert.ok(['same', 'noted'].includes(result), result);
  }
}

/** The sequencer's signature, checked by other means than the example's. */
export function isSigned({
  size,
  root,
  signature,
}: {
  size: number;
  root: Uint8Array;
  signature: Uint8Array;
}): boolean {
  const { serverId, manifest } = devices[0]!.client;
  const key = manifest.actors.find(({ role }) => role === 5)!.key;
  const x = Buffer.from(key).toString('base64url');
  const [id, hash] = [Buffer.from(serverId).toString('hex'), Buffer.from(root).toString('base64')];
  const text = Buffer.from(`countersign/v1/${id}\n${size}\n${hash}\n`);
  return verify(null, text, { key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' }, signature);
}

/** Runs the suite's tests with the server, and ends whatever they have started. */
export function withServer(suite: Test): void {
  suite.before(async () => {
    assert.is(await server.start(), null);
  });
  suite.after(async () => {
    await Promise.all(devices.map(({ member }) => member.close()));
    await Promise.all(servers.map((each) => each.kill()));
  });
}
