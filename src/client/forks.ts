/** With whom a client has found that the server has shown the two different logs: kept until it is shown that there is one. */
import { decode } from '../protocol/fields.js';
import { fromHex, HASH_BYTES, toHex } from '../protocol/index.js';
import type { Accusation } from './accusing.js';
import { ComparisonError } from './comparison-error.js';
import type { Gateway } from './gateway.js';
import { judging } from './judging.js';
import type { Member } from './member.js';
import { encoded, type Fork, forksField } from './vector-format.js';

/** Others. Beyond, the oldest that nothing proves is forgotten, or the oldest. */
const MOST_FORKS = 64;
const NAME = 'forks';
const NOTHING = new Uint8Array(0);

export class Forks {
  /** By the other's mailbox, in hexadecimal, the oldest first. */
  private readonly known = new Map<string, Fork>();
  private isChanged = false;

  /** `saved`: what `changes` gave in a former life, which is told again once the mailbox is connected. */
  constructor(
    private readonly gateway: Gateway,
    private readonly member: Member,
    saved: ReadonlyMap<string, Uint8Array>,
  ) {
    const forks = saved.get(NAME);
    if (!forks?.length) return;
    for (const fork of decode(forksField, forks)) this.known.set(toHex(fork.peer), fork);
    const leave = gateway.on('state', ({ mailbox, state }) => {
      if (mailbox !== member.index || state !== 'connected') return;
      leave();
      void this.tellAll();
    });
  }

  /** The size of a log of which there are two; undefined: it is not known that there are. */
  sizeOf(peer: string): number | undefined {
    return this.known.get(peer)?.size;
  }

  /** The other's block names another root of a log of this size. */
  suspected(peer: string, { size, root }: Pick<Fork, 'size' | 'root'>): void {
    if (!this.known.has(peer)) this.put(peer, { size, root, evidence: NOTHING });
  }

  proven(peer: string, size: number, evidence: Uint8Array): void {
    const { root } = this.known.get(peer) ?? { root: new Uint8Array(HASH_BYTES) };
    this.known.delete(peer);
    this.put(peer, { size, root, evidence });
  }

  private put(peer: string, fork: Omit<Fork, 'peer'>): void {
    const { known } = this;
    if (known.size === MOST_FORKS) {
      const [oldest] = [...known].sort(
        ([, a], [, b]) => Math.sign(a.evidence.length) - Math.sign(b.evidence.length),
      );
      known.delete(oldest![0]);
    }
    known.set(peer, { ...fork, peer: fromHex(peer, HASH_BYTES), root: fork.root.slice() });
    this.isChanged = true;
  }

  /** It is one log after all. */
  forget(peer: string): void {
    if (this.known.delete(peer)) this.isChanged = true;
  }

  /** Null where nothing proves it. */
  async proofOf(peer: string): Promise<(Accusation & Fork) | null> {
    const fork = this.known.get(peer);
    if (!fork?.evidence.length) return null;
    const { serverId, manifest } = this.gateway.ground.world;
    // What judges may not load.
    const judge = await judging.get().catch(() => null);
    const verdict = judge?.verdict(fork.evidence, serverId, manifest.rootKey);
    return verdict?.outcome === 'actor' || verdict?.outcome === 'server' ? { ...fork, verdict } : null;
  }

  private async tellAll(): Promise<void> {
    const { events } = this.gateway;
    const { index: mailbox } = this.member;
    for (const [hex, { peer, size }] of this.known) {
      const proof = await this.proofOf(hex);
      if (proof) {
        const { evidence, verdict } = proof;
        events.emit('divergence', { mailbox, peer, evidence, verdict });
      } else events.emit('suspicion', { mailbox, peer, error: forkedAt(size) });
    }
  }

  /** What must be saved, by name. */
  changes(): [name: string, bytes: Uint8Array][] {
    if (!this.isChanged) return [];
    this.isChanged = false;
    return [[NAME, encoded(forksField, [...this.known.values()])]];
  }
}

export const forkedAt = (size: number) =>
  new ComparisonError('forked', `two roots of a log of ${size} epochs`);
