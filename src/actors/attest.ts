/** What signing an epoch has in common for all stages, and the checks that come before it. */
import {
  type Attestation,
  actorLeafHash,
  attestationHash,
  type Base,
  decodeAttestation,
  type EpochContext,
  encodeAttestation,
  equalBytes,
  hashPages,
  hasPrefixes,
  inputsHash,
  merkleRoot,
  type Output,
  type PublicKeyBook,
  ROLE_NAMES,
  type Role,
  type SignedAttestation,
} from '../protocol/index.js';

/** An input that no honest neighbour can have sent: the actor signs nothing and the server stops. */
export class ActorFault extends Error {
  override name = 'ActorFault';
}

/** Runs a check of what a neighbour sent. Bytes that cannot even be read are a fault of its, too. */
export function checking<T>(who: string, check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (error instanceof ActorFault) throw error;
    throw new ActorFault(`${who}: ${(error as Error).message}`, { cause: error });
  }
}

export interface SignerOptions {
  readonly index: number;
  readonly serverId: Uint8Array;
  readonly sign: (bytes: Uint8Array) => Uint8Array;
  /** Epochs that this actor may have signed, in this life or an earlier one: all through this. It signs none of them. */
  readonly signed: { through: number };
  /** The one manifest and placement that this actor works by; it signs for no other. */
  readonly known?: World;
}

/** The fields of an epoch's context alone, whatever else the message carries. */
export function contextOf({ epoch, base, manifestHash, placementRoot }: EpochContext): EpochContext {
  return { epoch, base, manifestHash, placementRoot };
}

/**
 * Signs an actor's outputs of one epoch; `inputs` are the attestations consumed, in order. `told`: the log as the actor
 * was last told that it is committed, where it is told before it signs. Throws `ActorFault`, and signs nothing, when the
 * actor may have signed something for this epoch, or the epoch has another base, manifest or placement.
 */
export function attest(
  signer: SignerOptions,
  role: Role,
  context: EpochContext,
  inputs: readonly SignedAttestation[],
  outputs: readonly Output[],
  told: Base | null = null,
): SignedAttestation {
  const { epoch } = context;
  const { through } = signer.signed;
  if (epoch <= through) throw new ActorFault(`sequencer: epoch ${epoch} again, behind ${through}`);
  if (told && !(told.size === context.base.size && equalBytes(told.root, context.base.root)))
    throw new ActorFault(
      `sequencer: epoch ${epoch} on a base of ${context.base.size}, ${told.size} was told`,
    );
  if (signer.known) checkWorld(context, signer.known, 'sequencer');
  signer.signed.through = epoch;
  const attestation: Attestation = {
    epoch,
    base: context.base,
    manifestHash: context.manifestHash,
    placementRoot: context.placementRoot,
    serverId: signer.serverId,
    role,
    actor: signer.index,
    inputs: inputsHash(inputs.map((input) => attestationHash(input.bytes))),
    outputs,
  };
  const bytes = encodeAttestation(attestation);
  return { bytes, signature: signer.sign(bytes) };
}

/** The hashes that an epoch's leaf is over, packed: of its actors' attestations, in that order. */
export function actorLeaves(signed: readonly SignedAttestation[]): Uint8Array {
  const leaves = new Uint8Array(signed.length * 32);
  signed.forEach(({ bytes, signature }, i) => {
    leaves.set(actorLeafHash(attestationHash(bytes), signature), i * 32);
  });
  return leaves;
}

/** The output over rows in page layout. */
export function pagesOutput(pages: Uint8Array, rows: number, rowBytes: number): Output {
  const leaves = hashPages(pages, rows, rowBytes);
  return { entries: rows, leaves: leaves.length / 32, root: merkleRoot(leaves) };
}

/**
 * Checks a producer's attestation before its output is used: signature, role and index, context.
 * Returns it. Throws `ActorFault`.
 */
export function checkAttestation(
  signed: SignedAttestation,
  keys: PublicKeyBook,
  serverId: Uint8Array,
  role: Role,
  index: number,
  context: EpochContext,
): Attestation {
  const who = `${ROLE_NAMES[role]} ${index}`;
  const key = checking(who, () => keys.get(role, index));
  if (!key.verify(signed.bytes, signed.signature)) throw new ActorFault(`${who}: signature does not verify`);
  const attestation = checking(who, () => decodeAttestation(signed.bytes));
  if (attestation.role !== role || attestation.actor !== index)
    throw new ActorFault(`${who}: signed as another actor`);
  if (!equalBytes(attestation.serverId, serverId)) throw new ActorFault(`${who}: signed for another server`);
  checkContext(attestation, context, who);
  return attestation;
}

function checkContext(a: EpochContext, b: EpochContext, who: string): void {
  if (a.epoch !== b.epoch) throw new ActorFault(`${who}: epoch ${a.epoch}, expected ${b.epoch}`);
  if (a.base.size !== b.base.size || !equalBytes(a.base.root, b.base.root))
    throw new ActorFault(`${who}: other base`);
  checkWorld(a, b, who);
}

type World = Pick<EpochContext, 'manifestHash' | 'placementRoot'>;

function checkWorld(a: World, b: World, who: string): void {
  if (!equalBytes(a.manifestHash, b.manifestHash)) throw new ActorFault(`${who}: other manifest`);
  if (!equalBytes(a.placementRoot, b.placementRoot)) throw new ActorFault(`${who}: other placement`);
}

/** Rebuilds an output from rows in page layout and compares it with what was signed. Throws `ActorFault`. */
export function checkPagesOutput(
  output: Output | undefined,
  pages: Uint8Array,
  rows: number,
  rowBytes: number,
  prefix: Uint8Array,
  who: string,
): void {
  if (!hasPrefixes(pages, rows, rowBytes, prefix)) throw new ActorFault(`${who}: page prefix`);
  const rebuilt = pagesOutput(pages, rows, rowBytes);
  if (
    !output ||
    output.entries !== rows ||
    output.leaves !== rebuilt.leaves ||
    !equalBytes(output.root, rebuilt.root)
  ) {
    throw new ActorFault(`${who}: what came is not what was signed`);
  }
}
