/** A public key that has passed `checkKey`. Verifying with it costs no further parsing. */
export interface PublicKey {
  /** 32 bytes, the canonical encoding (RFC 8032 §5.1.2). */
  readonly bytes: Uint8Array;
  /** The one rule of docs/PROTOCOL.md: cofactorless, s < L, R not the identity. Never throws. */
  verify(message: Uint8Array, signature: Uint8Array): boolean;
}

/** The same, on platforms that answer later too. Neither argument may change meanwhile. */
export interface Verifier {
  readonly bytes: Uint8Array;
  verify(message: Uint8Array, signature: Uint8Array): boolean | Promise<boolean>;
}

/** A secret key. Ed25519 is deterministic: signing the same bytes twice gives the same signature. */
export interface Signer {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** 64 bytes R ‖ s. */
  sign(message: Uint8Array): Uint8Array;
}

/** The same, on platforms that answer later too, and may give another signature of the same bytes each time. */
export interface Identity {
  readonly publicKey: Uint8Array;
  sign(message: Uint8Array): Uint8Array | Promise<Uint8Array>;
}
