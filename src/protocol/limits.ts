/** Bounds that the formats themselves set. What an operator may set is in the manifest's policy. */

/** Entries in an inbox, router or receiver page, in a link's part, and hashes in a submission page. */
export const PAGE_ENTRIES = 64;
/** Leaf hashes in a page of recipients; up to as many recipients are listed without a tree. */
export const RECIPIENT_PAGE = 16;
/** u16 recipients in a bundle, actors in an epoch, mailboxes on a socket. */
export const MAX_U16 = 0xffff;
/** Buckets that ids without an exception are placed by. */
export const BUCKETS = 4096;
/** Sessions in one session frame: each costs the server a signature check. */
export const MAX_SESSIONS_PER_FRAME = 256;
/** A text inside an error frame, in bytes. */
export const MAX_ERROR_TEXT = 512;
