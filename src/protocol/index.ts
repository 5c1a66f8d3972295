/** The protocol: every object that is hashed, signed or sent. Pure; docs/PROTOCOL.md is its specification. */
export * from './attestation.js';
export * from './bundle.js';
export * from './bundle-encode.js';
export { decodeSubmitHeader, type SubmitHeader } from './bundle-field.js';
export * from './bundle-hash.js';
export { SUBMIT_HEADER_BYTES } from './bundle-layout.js';
export * from './bytes.js';
export * from './chain.js';
export * from './claim.js';
export * from './delivery.js';
export { putDeliverHead, putReceivedEntry, putSentEntry } from './delivery-fields.js';
export * from './errors.js';
export { FrameWriter } from './frame-writer.js';
export * from './frames.js';
export * from './hand-over.js';
export * from './handings.js';
export * from './json.js';
export * from './limits.js';
export * from './link-preimage.js';
export * from './log.js';
export * from './manifest.js';
export * from './manifest-chain.js';
export * from './merkle.js';
export * from './merkle-tree.js';
export * from './message-hash.js';
export {
  decodeOpenedHandOver,
  encodeOpenedHandOver,
  type OpenedHandOver,
} from './opened-hand-over.js';
export { isOpened, verifyOpening } from './opened-item.js';
export {
  decodeOpen,
  decodeOpening,
  encodeOpen,
  encodeOpening,
  HANDED_SENDER,
  isHandOver,
  type Open,
  type OpenedItem,
  type Opening,
  STAGE,
  type Stage,
  type StageName,
} from './opening.js';
export * from './pages.js';
export * from './parts.js';
export * from './place.js';
export { decodePlaced, encodePlaced, encodePlacedRuns, type Placed } from './placed.js';
export * from './placement.js';
export * from './recipient-tree.js';
export * from './recipients.js';
export * from './session.js';
export { decodeSubmission, encodeSubmission, type ShownSubmission, type Submission } from './submission.js';
export * from './vector.js';
