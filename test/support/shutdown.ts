/** What the fast and the long test of stopping have in common. */
import { encodeBundle, encodeSubmit } from '../../src/protocol/index.js';
import { idOf } from './names.js';

export const FRONT = '/v1/front';

export const bundleTo = (to: string) =>
  encodeBundle([{ mailbox: idOf(to), envelope: new Uint8Array(0) }], Buffer.from('x'), Buffer.alloc(32, 1));
export const submitOf = (to: string) => encodeSubmit(0, 1, [bundleTo(to)]);
