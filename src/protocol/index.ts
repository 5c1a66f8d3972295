/** The protocol: every object that is hashed, signed or sent. Pure; docs/PROTOCOL.md is its specification. */
export * from './attestation.js';
export * from './bundle.js';
export * from './bundle-encode.js';
export * from './bytes.js';
export * from './chain.js';
export * from './claim.js';
export * from './delivery.js';
export * from './errors.js';
export * from './frames.js';
export * from './limits.js';
export * from './log.js';
export * from './manifest.js';
export * from './merkle.js';
export * from './pages.js';
export * from './place.js';
export * from './placement.js';
export * from './session.js';
