/**
 * What a claim proves, read field by field as PROTOCOL.md lays it out. Throws where something does not hold.
 * Of the manifest it takes what it needs: the actors' keys, in the order of the epoch leaf.
 */
import { actorLeaf, checkpointText, H, hex, rootFromPath, verify } from './index.js';

export interface Known {
  readonly serverId: Uint8Array;
  readonly manifestHash: Uint8Array;
  /** Roles 1 to 4, sorted by (role, index). */
  readonly actors: readonly { readonly role: number; readonly index: number; readonly key: Uint8Array }[];
  /** Of the sequencer, one after the other. */
  readonly sequencerKeys: readonly Uint8Array[];
}

export interface Proven {
  readonly leaf: Buffer;
  readonly role: number;
  readonly actor: number;
  readonly epoch: bigint;
  readonly signed: Buffer;
  readonly logIndex: bigint;
  readonly epochLeaf: Buffer;
  readonly size: bigint;
  readonly root: Buffer;
}

class Cursor {
  private at = 0;

  constructor(private readonly bytes: Buffer) {}

  take(length: number): Buffer {
    const piece = this.bytes.subarray(this.at, this.at + length);
    if (piece.length !== length) throw new Error('the claim is cut short');
    this.at += length;
    return piece;
  }

  u8 = () => this.take(1).readUInt8();
  u16 = () => this.take(2).readUInt16BE();
  u32 = () => this.take(4).readUInt32BE();
  u64 = () => this.take(8).readBigUInt64BE();

  path(): Buffer[] {
    return Array.from({ length: this.u8() }, () => this.take(32));
  }

  end(): void {
    must(this.at === this.bytes.length, 'nothing may trail');
  }
}

function must(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(`claim: ${what}`);
}

/** claim: see `claimBytes`. */
function read(bytes: Uint8Array) {
  const from = new Cursor(Buffer.from(bytes));
  must(from.take(8).toString('latin1') === 'csign1cl', 'tag');
  const claim = {
    leaf: from.take(from.u32()),
    output: from.u16(),
    leafIndex: from.u32(),
    outputPath: from.path(),
    attestation: from.take(from.u32()),
    signature: from.take(64),
    actorPath: from.path(),
    epochLeaf: from.take(163),
    logIndex: from.u64(),
    logPath: from.path(),
    size: from.u64(),
    root: from.take(32),
    checkpointSignature: from.take(64),
  };
  from.end();
  return claim;
}

/** attestation: see `attestationSigned`. */
function readAttestation(bytes: Buffer) {
  const from = new Cursor(bytes);
  must(from.take(26).toString('latin1') === 'countersign/v1 attestation', 'prefix');
  const attestation = {
    serverId: from.take(32),
    role: from.u8(),
    actor: from.u16(),
    epoch: from.u64(),
    /** Base size 8 ‖ root 32 ‖ manifest hash 32 ‖ placement root 32, as the epoch leaf has them too. */
    context: from.take(104),
    inputs: from.take(32),
    outputs: Array.from({ length: from.u16() }, () => ({
      entries: from.u32(),
      leaves: from.u32(),
      root: from.take(32),
    })),
  };
  from.end();
  return attestation;
}

/** epoch leaf: see `epochLeaf`. */
function readEpochLeaf(bytes: Buffer) {
  const from = new Cursor(bytes);
  must(from.take(9).toString('latin1') === '\0csign1ep', 'epoch leaf');
  return {
    epoch: from.u64(),
    previousEpoch: from.u64(),
    context: from.take(104),
    actors: from.u16(),
    actorsRoot: from.take(32),
  };
}

/** By role: what its leaves begin with. */
const LEAVES = ['', '\0csign1in', '\0csign1ro', '\0csign1re', '\0csign1li \0csign1st'];

export function checkClaim(bytes: Uint8Array, known: Known): Proven {
  const claim = read(bytes);
  const attestation = readAttestation(claim.attestation);
  const epochLeaf = readEpochLeaf(claim.epochLeaf);
  const { role, actor, epoch, context } = attestation;
  must(attestation.serverId.equals(known.serverId), 'server');
  must(LEAVES[role]!.includes(claim.leaf.toString('latin1', 0, 9)) && role > 0, 'leaf of another role');
  if (role === 4) must(claim.leaf.readBigUInt64BE(41) === epoch, 'leaf of another epoch');
  const output = attestation.outputs[claim.output];
  must(output !== undefined, 'output');
  const index = BigInt(claim.leafIndex);
  const root = rootFromPath(index, BigInt(output.leaves), H(claim.leaf), claim.outputPath);
  must(root?.equals(output.root) === true, 'path in the output');
  const position = known.actors.findIndex((each) => each.role === role && each.index === actor);
  must(position >= 0, 'actor');
  must(
    verify(known.actors[position]!.key, claim.attestation, claim.signature),
    'signature of the attestation',
  );
  must(epochLeaf.epoch === epoch && epochLeaf.context.equals(context), 'attestation and epoch leaf differ');
  must(context.subarray(40, 72).equals(known.manifestHash), 'manifest');
  must(epochLeaf.actors === known.actors.length, 'number of actors');
  const signed = H(actorLeaf(H(Buffer.from('csign1at'), claim.attestation), claim.signature));
  const actorsRoot = rootFromPath(BigInt(position), BigInt(epochLeaf.actors), signed, claim.actorPath);
  must(actorsRoot?.equals(epochLeaf.actorsRoot) === true, 'path in the epoch leaf');
  must(epochLeaf.previousEpoch < epoch && context.readBigUInt64BE() <= claim.logIndex, 'order in the log');
  const logRoot = rootFromPath(claim.logIndex, claim.size, H(claim.epochLeaf), claim.logPath);
  must(logRoot?.equals(claim.root) === true, `path in the log ${hex(claim.root)}`);
  const text = Buffer.from(checkpointText(known.serverId, claim.size, claim.root));
  const isSigned = known.sequencerKeys.some((key) => verify(key, text, claim.checkpointSignature));
  must(isSigned, 'signature of the checkpoint');
  return { ...claim, role, actor, epoch, signed: claim.attestation };
}
