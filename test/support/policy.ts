/** A policy with small limits, for a sender by itself. */
import type { Policy } from '../../src/protocol/index.js';

export const smallPolicy: Policy = {
  submissions: 0,
  retentionEpochs: 10,
  messagesPerEpoch: 100,
  bytesPerEpoch: 1 << 20,
  recipients: 10,
  bodyBytes: 1000,
  envelopeBytes: 100,
  bundlesPerFrame: 4,
  countersKept: 4096,
};
