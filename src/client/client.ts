/** Client: one key, one mailbox. A gateway of one, with a loop to read from. */
import type { Checkpoint, Manifest } from '../protocol/index.js';
import { Gateway } from './gateway.js';
import type { GatewayEvents, State } from './gateway-events.js';
import type { Resumed } from './mailbox.js';
import type { Message, Receipt } from './message.js';
import { MessageQueue, type QueueOptions } from './message-queue.js';
import { type GatewayOptions, settingsOf } from './options.js';
import type { SendOptions } from './outgoing-bundle.js';
import type { Dial } from './socket.js';
import type { Stand } from './stands.js';

export interface ClientOptions extends Omit<GatewayOptions, 'keys'> {
  /** Secret seed, 32 bytes. */
  readonly key: Uint8Array;
  /** Called with the client before anything can happen: the place to listen to first events. */
  readonly onReady?: (on: Client['on']) => void;
}

export class Client {
  private constructor(
    private readonly gateway: Gateway,
    private readonly queue: MessageQueue,
  ) {}

  static async connect(options: ClientOptions, dial: Dial): Promise<Client> {
    const queue = new MessageQueue();
    const gateway = await Gateway.open(
      { ...options, keys: [options.key] },
      settingsOf(options, dial),
      (_, messages, taken) => queue.push(messages, taken),
      (opening) => {
        opening.events.on('state', (state) => {
          if (isFinal(state)) queue.end(state === 'closed' ? null : opening.problem);
        });
        options.onReady?.((name, listener) => opening.events.on(name, listener));
      },
    );
    return new Client(gateway, queue);
  }

  /** The public key: its id as a sender and the id of its mailbox. */
  get id(): Uint8Array {
    return this.gateway.id(0);
  }

  get serverId(): Uint8Array {
    return this.gateway.serverId;
  }

  get manifest(): Manifest {
    return this.gateway.manifest;
  }

  /** The newest signed log head that was verified; size 0 = none yet. */
  get checkpoint(): Checkpoint {
    return this.gateway.checkpoint;
  }

  get state(): State {
    return this.gateway.state;
  }

  /** `fresh`: a new key. `continued`: from the store. `from-server`: an old key with a new store. */
  get resumed(): Resumed {
    return this.gateway.resumed(0);
  }

  on<Name extends keyof GatewayEvents>(
    name: Name,
    listener: (value: GatewayEvents[Name]) => void,
  ): () => void {
    return this.gateway.events.on(name, listener);
  }

  /** Resolves once the message is proven to stand in the order. Rejects with a coded error. */
  send(options: SendOptions): Promise<Receipt> {
    return this.gateway.send(0, options);
  }

  /** Messages in order, each once. Ends when the client is closed; throws when it fails. */
  mailbox(options?: QueueOptions): AsyncIterableIterator<Message, undefined> {
    return this.queue.read(options);
  }

  /** Asks the server to prove where the mailbox stands now: that nothing is held back. */
  still(): Promise<Stand> {
    return this.gateway.still(0);
  }

  /** The whole claim, in binary form, behind a message or a receipt. */
  claimOf(proven: Message | Receipt): Uint8Array {
    return proven.claim();
  }

  /** Ends the loop, saves and sends what has been acknowledged, then closes. */
  close(): Promise<void> {
    this.queue.end(null);
    return this.gateway.close();
  }
}

function isFinal(state: State): boolean {
  return state === 'closed' || state === 'failed' || state === 'displaced';
}
