/** A server that is attacked, and two clients that must not notice. */
import { randomBytes } from 'node:crypto';
import * as assert from 'uvu/assert';
import { type Client, connect } from '../../src/client/index.js';
import { encodeBundle, encodeSubmit } from '../../src/protocol/index.js';
import type { Server } from '../../src/server/index.js';
import { directory, serverAt } from '../client-helpers.js';
import { idOf, keyOf } from './names.js';
import type { Raw } from './raw.js';

export const FRONT = '/v1/front';
export const OUTBOX = '/v1/outboxes/0';

/** Two clients that do nothing wrong: whatever happens elsewhere, their messages go through, quickly. */
class Witnesses {
  private running = true;
  private slowest = 0;
  private count = 0;
  private constructor(
    private readonly alice: Client,
    private readonly bob: Client,
  ) {}

  static async at(server: Server): Promise<Witnesses> {
    const [alice, bob] = await Promise.all(
      ['witness alice', 'witness bob'].map((name) => connect({ url: server.url, key: keyOf(name) })),
    );
    const witnesses = new Witnesses(alice!, bob!);
    witnesses.done = witnesses.talk();
    return witnesses;
  }

  private done = Promise.resolve();

  private async talk(): Promise<void> {
    const mail = this.bob.mailbox();
    while (this.running) {
      const began = performance.now();
      await this.alice.send({ to: this.bob.id, body: `${this.count}` });
      const { value } = await mail.next();
      assert.is(Buffer.from(value!.body).toString(), `${this.count++}`);
      this.slowest = Math.max(this.slowest, performance.now() - began);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async end(): Promise<void> {
    this.running = false;
    await this.done;
    assert.ok(this.count > 0);
    assert.ok(this.slowest < 2000, `a message took ${this.slowest} ms`);
    assert.is(this.alice.state, 'connected');
    assert.is(this.bob.state, 'connected');
    await Promise.all([this.alice.close(), this.bob.close()]);
  }
}

export async function attacked(
  flags: Record<string, string>,
  run: (server: Server, url: string) => Promise<void>,
): Promise<void> {
  const server = await serverAt(directory('attack'), flags);
  let failure: unknown;
  server.failed.catch((error) => (failure = error));
  const witnesses = await Witnesses.at(server);
  try {
    await run(server, server.url);
  } finally {
    await witnesses.end().finally(() => server.stop());
  }
  assert.is(failure, undefined);
}

export const bundleTo = (name: string, body = 'x') =>
  encodeBundle([{ mailbox: idOf(name), envelope: new Uint8Array(0) }], Buffer.from(body), randomBytes(32));
export const submit = () => encodeSubmit(0, 1, [bundleTo('mallory')]);
export const hello = (raw: Raw) => raw.helloFrame();
export const session = (raw: Raw) => raw.sessionFrame('mallory');
