/** What the tests call inside a page: a client of the browser build, and what it was told. */
import type * as browser from '../../src/client/browser.js';

export interface StartOptions {
  readonly url: string;
  /** The secret seed. */
  readonly key: readonly number[];
  /** Name of an IndexedDB database; without, state is kept in memory. */
  readonly store?: string;
  readonly bufferBytes?: number;
  /** Messages are left where they are. */
  readonly unread?: boolean;
}

export interface InPage {
  library: typeof browser;
  client: browser.Client;
  /** Bodies in the order they came. */
  seen: string[];
  places: string[];
  /** The message that came last. */
  last: browser.Message;
  events: string[];
  load(): Promise<void>;
  start(options: StartOptions): Promise<string>;
  read(): void;
  send(to: string, body: string): Promise<string>;
}

declare global {
  var page: InPage;
}

/** Runs in the page, before anything else: it can see nothing of this module. */
export function prepare(): void {
  const seen: string[] = [];
  const places: string[] = [];
  const events: string[] = [];
  const nameOf = (place: object) => Object.values(place).join('.');
  const page: Partial<InPage> = { seen, places, events };
  globalThis.page = page as InPage;
  page.load = async () => {
    const path = '/client.js';
    page.library = (await import(path)) as typeof browser;
  };
  page.start = async ({ key, store, unread, ...options }) => {
    await page.load!();
    const library = page.library!;
    page.client = await library.connect({
      ...options,
      key: Uint8Array.from(key),
      backoffFirstMs: 20,
      backoffMostMs: 100,
      ...(store === undefined ? {} : { store: new library.IndexedDbStore(store) }),
      onReady: (on) => {
        on('state', ({ state, reason }) => {
          const step = reason && 'step' in reason ? ` ${reason.step}` : '';
          events.push(`${state}${step}`);
        });
        on('gap', () => events.push('gap'));
        on('counter-conflict', () => events.push('counter-conflict'));
        on('receipt', ({ receipt }) => events.push(`receipt ${receipt.counter}`));
      },
    });
    if (!unread) page.read!();
    return Array.from(page.client.id, (byte) => byte.toString(16).padStart(2, '0')).join('');
  };
  page.read = async () => {
    const earlier = JSON.parse(sessionStorage.getItem('lives') ?? '[]') as string[][];
    try {
      for await (const message of page.client!.mailbox()) {
        page.last = message;
        seen.push(new TextDecoder().decode(message.body));
        // What every life of the page has shown: kept over a reload, to the last message.
        sessionStorage.setItem('lives', JSON.stringify([...earlier, seen]));
        places.push(nameOf(message.place));
      }
    } catch (error) {
      events.push(`ended ${(error as { code: string }).code}`);
    }
  };
  page.send = async (to, body) => nameOf((await page.client!.send({ to, body })).place);
}
