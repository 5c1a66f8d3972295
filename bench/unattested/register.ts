/**
 * Preloaded into every thread of a countersign server: the same server with the attesting switched off, to show what attesting
 * costs. Nothing but four leaf modules is replaced (resolve.ts); queues, routing, merging, storing, fsync and deliveries are
 * the very files that `countersign serve` runs.
 *
 * Left out: SHA-256, all of it (message, leaf, page, link and attestation hashes are zeros), and the preimages of message
 * hashes; Ed25519, all of it (actors' signatures are zeros, and nobody's are checked, sessions' and submissions' neither);
 * Merkle trees and proofs (an outbox's multiproof, paths to attestations and recipients are not built and not sent).
 *
 * Not left out: the manifest's signature, made once; the rows that would be hashed, in page layout; links with their heads, of recipients and of senders;
 * attestations, put together, passed on, compared and stored; the frontier of the log; what of it travels in deliveries (two
 * attestations, blinders, and a zero hash for each other recipient up to 16).
 *
 * Hashes are told apart in one place: a counter that comes again with another hash is a conflict. Here it is a duplicate.
 */
import { register } from 'node:module';

register('./resolve.js', import.meta.url);
