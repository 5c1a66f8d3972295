/** What shows that evidence and what stages open are of one log: consistency proofs, as far as the server tells. */
import { decodeClaim, decodeHandOver, decodeOpenedHandOver } from '../protocol/index.js';
import { askForProof } from './asking.js';

/** That are asked for. */
const MOST_PROOFS = 16;
const NOTHING = new Uint8Array(0);

export function sizesOf(claims: readonly Uint8Array[]): number[] {
  return claims.map((claim) => decodeClaim(claim).checkpoint.size);
}

export class Proofs {
  private readonly known = new Map<string, Uint8Array>();

  constructor(
    private readonly http: string,
    private readonly signal: AbortSignal,
  ) {}

  /**
   * The proof between two of the sizes that evidence is proven in, and those of claims and hand-overs; empty where there is
   * none. Whatever the server tells: only what leads from the one to the other proves anything.
   */
  async between(
    sizes: readonly number[],
    claims: readonly Uint8Array[],
    handOvers: readonly Uint8Array[],
  ): Promise<(from: number, to: number) => Uint8Array> {
    const logs = handOvers.map((each) => decodeHandOver(decodeOpenedHandOver(each).signed).log.size);
    const others = [...sizes, ...sizesOf(claims)];
    for (const a of [...logs, ...sizes])
      for (const b of others) await this.ask(Math.min(a, b), Math.max(a, b));
    return (from, to) => this.known.get(`${from} ${to}`) ?? NOTHING;
  }

  private async ask(from: number, to: number): Promise<void> {
    const { known } = this;
    const name = `${from} ${to}`;
    if (from === to || known.has(name) || known.size === MOST_PROOFS) return;
    known.set(name, await askForProof(this.http, from, to, this.signal));
  }
}
