/** What `frame` adds to bodies: blocks now and then, and rosters. */
import { randomBytes } from 'node:crypto';
import { Vectors } from '../../src/client/vectors-entry.js';
import { clientOf, directory, serverAt } from '../client-helpers.js';

/** Bytes beyond the body: of a message on average, and of the shortest and the longest. */
export interface FramedCosts {
  readonly mean: number;
  readonly least: number;
  readonly most: number;
}

/** As often as every peer has had four blocks: then it repeats. */
const MESSAGES = 64;

export async function framed(recipients: number, rosters: boolean): Promise<FramedCosts> {
  const server = await serverAt(directory('costs'));
  const client = await clientOf(server, 'alice', { vectors: new Vectors({ rosters }) });
  const to = Array.from({ length: recipients }, () => Uint8Array.from(randomBytes(32)));
  const body = new Uint8Array(1);
  const sizes = Array.from(
    { length: MESSAGES },
    () => client.vectors!.frame({ to, body }).body.length - body.length,
  );
  await client.close();
  await server.stop();
  const mean = sizes.reduce((sum, size) => sum + size) / MESSAGES;
  return { mean, least: Math.min(...sizes), most: Math.max(...sizes) };
}
