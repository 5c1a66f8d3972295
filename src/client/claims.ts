/**
 * What makes claims, and asks the server for them, and what follows its manifest from version to version: a file of its
 * own in browsers, loaded when it is first needed (claiming.ts).
 */
export { claimEntry as claim } from './claim-making.js';
export { complaintOf as complain } from './complaint.js';
export { follow, openWorld } from './manifests.js';
export { openStage as open } from './openings.js';
export { standOf as still } from './stands.js';
