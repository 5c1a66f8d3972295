/** Where a message stands in the one total order. */

export interface Place {
  /** u64, from 1; 0 = no place. */
  readonly epoch: number;
  /** u16. */
  readonly inbox: number;
  /** u32, from 0 within the inbox and epoch. */
  readonly index: number;
}

export const NO_PLACE: Place = { epoch: 0, inbox: 0, index: 0 };

/** Negative, zero or positive as `a` lies before, at or after `b`. */
export function comparePlaces(a: Place, b: Place): number {
  return a.epoch - b.epoch || a.inbox - b.inbox || a.index - b.index;
}

/** `epoch.inbox.index`. */
export function formatPlace(place: Place): string {
  return `${place.epoch}.${place.inbox}.${place.index}`;
}
