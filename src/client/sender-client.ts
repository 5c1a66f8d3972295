/**
 * SenderClient: a client that only sends, over the front socket alone. It takes the server's word for a
 * message's place: it has no proof of it, and does not see when one of its messages is altered, moved or left
 * out. `connect` with the same key and store later proves all of it: receipts come as events.
 */
import type { CountersignError, Manifest } from '../protocol/index.js';
import type { Client, ClientOptions } from './client.js';
import type { Gateway } from './gateway.js';
import type { State } from './gateway-events.js';
import type { UnprovenPlace } from './message.js';
import type { openGateway } from './open-gateway.js';
import type { SendOptions } from './outgoing-bundle.js';
import type { Dial } from './socket.js';

export type SenderClientOptions = Omit<ClientOptions, 'bufferBytes' | 'unreadMs'>;

export class SenderClient {
  private constructor(private readonly gateway: Gateway) {}

  /** @internal */
  static async connect(
    { key, ...rest }: SenderClientOptions,
    dial: Dial,
    open: typeof openGateway,
  ): Promise<SenderClient> {
    return new SenderClient(await open({ ...rest, keys: [key] }, dial, null));
  }

  get id(): Uint8Array {
    return this.gateway.id(0);
  }

  get serverId(): Uint8Array {
    return this.gateway.serverId;
  }

  get manifest(): Manifest {
    return this.gateway.manifest;
  }

  get state(): State {
    return this.gateway.state(0);
  }

  /** Why it is over; null while it is not. */
  get problem(): CountersignError | null {
    return this.gateway.problem(0);
  }

  /** Of the events there are `state`, `placed` and `counter-conflict`. */
  readonly on: Client['on'] = (name, listener) => this.gateway.on(name, listener);

  /** Resolves once the server says that the message is committed, and where. It is safe, but not proven. */
  send(options: SendOptions): Promise<UnprovenPlace> {
    return this.gateway.submit(0, options) as Promise<UnprovenPlace>;
  }

  close(): Promise<void> {
    return this.gateway.close();
  }
}
