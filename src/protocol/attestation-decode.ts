/** Attestations (attestation.ts) as they are read: browsers do that for claims alone. */
import { type Attestation, DOMAIN, type Role } from './attestation.js';
import { Reader } from './bytes.js';
import { expectBytes } from './expect-bytes.js';

/** Throws `FormatError` on any other bytes than `encodeAttestation` gives. */
export function decodeAttestation(bytes: Uint8Array): Attestation {
  const reader = new Reader(bytes);
  expectBytes(reader, DOMAIN, 'attestation domain');
  const head = {
    serverId: reader.hash(),
    role: reader.u8() as Role,
    actor: reader.u16(),
    epoch: reader.u64(),
    base: { size: reader.u64(), root: reader.hash() },
    manifestHash: reader.hash(),
    placementRoot: reader.hash(),
    inputs: reader.hash(),
  };
  const outputs = Array.from({ length: reader.u16() }, () => ({
    entries: reader.u32(),
    leaves: reader.u32(),
    root: reader.hash(),
  }));
  reader.end();
  return { ...head, outputs };
}
