/** Signatures of many keys, verified on threads of Node's pool while the calling one goes on. On Node alone. */
import { type KeyObject, verify } from 'node:crypto';
import { publicKeyObject } from './key-object.js';
import { hasIdentityR } from './rule.js';

/** Parsed keys kept: at most twice this many, some hundred bytes each. */
const GENERATION = 4096;

let recent = new Map<string, KeyObject>();
let older = new Map<string, KeyObject>();

/** `key`: 32 bytes that are known to keep the rule; `signature`: 64. Calls back later, once. */
export function verifyLater(
  key: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
  done: (isGood: boolean) => void,
): void {
  if (hasIdentityR(signature)) return void setImmediate(done, false);
  verify(null, message, objectOf(key), signature, (error, isGood) => done(!error && isGood));
}

function objectOf(key: Uint8Array): KeyObject {
  const name = Buffer.from(key.buffer, key.byteOffset, key.length).latin1Slice(0, 32);
  const known = recent.get(name);
  if (known) return known;
  const object = older.get(name) ?? publicKeyObject('Ed25519', key);
  if (recent.size >= GENERATION) {
    older = recent;
    recent = new Map();
  }
  recent.set(name, object);
  return object;
}
