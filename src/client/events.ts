/** A typed emitter: `on` returns the way to unsubscribe. Listeners run in the order they came. */

export class Emitter<Events extends object> {
  private readonly listeners = new Map<keyof Events, Set<(value: never) => void>>();

  on<Name extends keyof Events>(name: Name, listener: (value: Events[Name]) => void): () => void {
    const set = this.listeners.get(name) ?? new Set();
    this.listeners.set(name, set);
    // A wrapper of its own, so that one function subscribed twice is called twice and leaves one by one.
    const entry = (value: Events[Name]) => listener(value);
    set.add(entry);
    return () => void set.delete(entry);
  }

  emit<Name extends keyof Events>(name: Name, value: Events[Name]): void {
    for (const listener of [...(this.listeners.get(name) ?? [])])
      (listener as (value: Events[Name]) => void)(value);
  }
}
