/** Client: one key, one mailbox. A gateway of one, with a loop to read from. */
import type { Checkpoint, CountersignError, Manifest } from '../protocol/index.js';
import type { ComplainOptions, Complaint } from './complaint.js';
import type { Gateway, StillOptions } from './gateway.js';
import type { GatewayEvents, State } from './gateway-events.js';
import type { Resumed } from './mailbox.js';
import type { Message, Receipt } from './message.js';
import { MessageQueue, type QueueOptions } from './message-queue.js';
import { openGateway } from './open-gateway.js';
import type { OpenedStage, OpenOptions } from './openings.js';
import type { GatewayOptions } from './options.js';
import type { SendOptions } from './outgoing-bundle.js';
import type { Dial } from './socket.js';
import type { Stand } from './stands.js';
import type { Vectors } from './vectors.js';

export interface ClientOptions extends Omit<GatewayOptions, 'keys' | 'mailboxesPerSocket'> {
  /** Secret seed, 32 bytes. */
  readonly key: Uint8Array;
  /** To compare with others: of `countersign/vectors`, one for each client. */
  readonly vectors?: Vectors;
}

export class Client {
  private constructor(
    private readonly gateway: Gateway,
    private readonly queue: MessageQueue,
    /** As it was given. */
    readonly vectors?: Vectors,
  ) {}

  /** @internal */
  static async connect(options: ClientOptions, dial: Dial): Promise<Client> {
    const { key, onReady, ...rest } = options;
    const queue = new MessageQueue();
    const listen = (on: Client['on']) => {
      on('state', ({ state, reason }) => {
        if (state === 'closed') queue.end(null);
        else if (state !== 'connecting' && state !== 'connected') queue.end(reason);
      });
      onReady?.(on);
    };
    const gateway = await openGateway({ ...rest, keys: [key], onReady: listen }, dial, (_, messages, taken) =>
      queue.push(messages, taken),
    );
    return new Client(gateway, queue, options.vectors);
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
    return this.gateway.state(0);
  }

  /** Why it is over; null while it is not. */
  get problem(): CountersignError | null {
    return this.gateway.problem(0);
  }

  /** What the newest session could go on from: everything, or not. Current whenever `connected` is told. */
  get resumed(): Resumed {
    return this.gateway.resumed(0)!;
  }

  /** Returns the way to unsubscribe. */
  on<Name extends keyof GatewayEvents>(
    name: Name,
    listener: (value: GatewayEvents[Name]) => void,
  ): () => void {
    return this.gateway.on(name, listener);
  }

  /** Resolves once the message is proven to stand in the order. Rejects with a coded error. */
  send(options: SendOptions): Promise<Receipt> {
    return this.gateway.send(0, options);
  }

  /** Messages in order, each once. Ends when the client or the signal says so; throws when the client fails. */
  mailbox(options?: QueueOptions): AsyncIterableIterator<Message, undefined> {
    return this.queue.read(options);
  }

  /** Asks the server to prove where the mailbox stands now: that nothing is held back. */
  still(options?: StillOptions): Promise<Stand> {
    return this.gateway.still(0, options);
  }

  /**
   * What a stage of the server has signed of a message that this client sent or received, for as long as the
   * server keeps it: that it is there or that it is not, proven by whole claims.
   */
  open(options: OpenOptions): Promise<OpenedStage> {
    return this.gateway.open(0, options);
  }

  /**
   * Has evidence that the server is faulty narrowed to the actor, by what its stages open of the place: a stage that does not is
   * named. The evidence is judged here, and not sent. When the client is over, it resolves with what is known by then. Rejects with
   * `TypeError` on what is no evidence against this server.
   */
  complain(evidence: Uint8Array, options?: ComplainOptions): Promise<Complaint> {
    return this.gateway.complain(0, evidence, options);
  }

  /** Ends the loop, saves and sends what has been acknowledged, then closes. */
  close(): Promise<void> {
    this.queue.end(null);
    return this.gateway.close();
  }
}
