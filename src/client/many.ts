/** Many mailboxes over few sockets, for gateways and load: messages come by a callback. */
import type { Gateway, OnMessages } from './gateway.js';
import type { ManyVectors } from './many-vectors.js';
import type { Message } from './message.js';
import { openGateway } from './open-gateway.js';
import type { GatewayOptions } from './options.js';
import type { Dial } from './socket.js';

export interface ManyOptions extends GatewayOptions {
  /**
   * Messages of one mailbox and epoch, in order. They are acknowledged when it returns, or when the
   * promise that it returns is fulfilled; after a rejection they come again in the store's next life.
   */
  readonly onMessages: (mailbox: number, messages: readonly Message[]) => void | Promise<void>;
  /** To compare with others: of `countersign/vectors`, one for each gateway. */
  readonly vectors?: ManyVectors;
}

export function openMany(options: ManyOptions, dial: Dial): Promise<Gateway> {
  const onMessages: OnMessages = (mailbox, messages, taken) => {
    const release = () => taken(messages.reduce((sum, message) => sum + message.weight, 0));
    const done = () => {
      for (const message of messages) message.ack();
      release();
    };
    const finished = options.onMessages(mailbox, messages);
    if (finished) finished.then(done, release);
    else done();
  };
  return openGateway(options, dial, onMessages);
}
