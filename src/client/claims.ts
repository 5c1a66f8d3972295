/**
 * What makes claims, and asks the server for them, and what follows its manifest from version to version: a file of its
 * own in browsers, loaded when it is first needed (claiming.ts).
 */
export { claimEntry } from './claim-making.js';
export { complaintOf } from './complaint.js';
export { follow, openWorld } from './manifests.js';
export { openStage } from './openings.js';
export { standOf } from './stands.js';
