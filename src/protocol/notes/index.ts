/** Checkpoints as notes, cosignatures, and what witnesses are asked (C2SP): for servers, witnesses, and clients with a policy. */
export * from './add-checkpoint.js';
export * from './checkpoint-note.js';
export * from './signed-note.js';
