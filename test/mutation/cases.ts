/** Where cases of evidence and of claims are kept for mutation tests, and what of them. */
export const CASES_FILE = new URL('cases.json', import.meta.url);

/** Bytes in base64. */
export interface KeptCase {
  readonly name: string;
  /** `nothing`, `unreadable`, or who: `actor 4.0`, `server 2.0 3.0`, `operator`, `client`. */
  readonly expected: string;
  readonly rule: number;
  readonly bytes: string;
  readonly serverId: string;
  readonly rootKey: string;
}

export interface KeptClaim {
  readonly name: string;
  readonly holds: boolean;
  readonly bytes: string;
  readonly serverId: string;
  readonly manifest: string;
}

export interface Kept {
  readonly evidence: readonly KeptCase[];
  readonly claims: readonly KeptClaim[];
}
