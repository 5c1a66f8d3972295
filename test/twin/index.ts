/** Everything the slow twin can do. */
export * from './attestation.js';
export * from './bytes.js';
export * from './chain.js';
export * from './claim.js';
export * from './cosignature.js';
export * from './delivery.js';
export * from './ed25519.js';
export * from './epoch.js';
export * from './hand-over.js';
export * from './log.js';
export * from './manifest.js';
export * from './merkle.js';
export * from './message.js';
export * from './pages.js';
export * from './placement.js';
export * from './session.js';
export * from './submission.js';
