/** What the client sends, against the slow twin: with a roster key, and with blinders of chance. */
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { makeBundle } from '../src/client/outgoing-bundle.js';
import { BundleCursor } from '../src/protocol/index.js';
import { same } from './checks.js';
import { smallPolicy } from './support/policy.js';
import * as twin from './twin/index.js';
import { named, runOptions } from './worlds.js';

const test = suite('outgoing bundles');
const policy = { ...smallPolicy, bodyBytes: 10_000 };
const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((each) => Buffer.from(each));

const anyMessage = fc.record({
  to: fc.array(fc.nat(30), { minLength: 1, maxLength: 5 }).map((names) => [...new Set(names)]),
  // Small ones share their memory with others.
  body: fc.oneof(bytes(200), bytes(3000)),
  envelope: bytes(20),
  rosterKey: fc.boolean(),
});

/** The blinders that a bundle has, by mailbox. */
function blindersOf(bundle: Uint8Array): Map<string, Buffer> {
  const cursor = new BundleCursor(policy);
  assert.is(cursor.parse(bundle, 0, bundle.length), bundle.length);
  const all = Array.from({ length: cursor.recipients }, (_, i) => ({
    mailbox: twin.hex(bundle.subarray(cursor.mailboxAt(i), cursor.mailboxAt(i) + 32)),
    blinder: Buffer.from(bundle.subarray(cursor.blinderAt(i), cursor.blinderAt(i) + 16)),
  }));
  return new Map(all.map(({ mailbox, blinder }) => [mailbox, blinder]));
}

test('any messages one after another are laid out as the twin does, and stay so; no random blinder comes twice', () => {
  const drawn: string[] = [];
  fc.assert(
    fc.property(fc.array(anyMessage, { minLength: 1, maxLength: 40 }), (messages) => {
      const made = messages.map(({ to, body, envelope, rosterKey }, i) => {
        const key = named(`roster ${i}`);
        const recipients = to.map((name) => ({ mailbox: named(`mailbox ${name}`), envelope }));
        const bundle = makeBundle(
          {
            to: recipients.map(({ mailbox }) => mailbox),
            envelopes: recipients.map((each) => each.envelope),
            body,
            ...(rosterKey && { rosterKey: key }),
          },
          policy,
        );
        const found = blindersOf(bundle);
        if (!rosterKey) drawn.push(...[...found.values()].map((blinder) => twin.hex(blinder)));
        const blinder = (mailbox: Buffer) =>
          rosterKey ? twin.blinder(key, mailbox) : found.get(twin.hex(mailbox))!;
        const sorted = recipients
          .map((recipient) => ({ ...recipient, blinder: blinder(recipient.mailbox) }))
          .sort((a, b) => Buffer.compare(a.mailbox, b.mailbox));
        const message = { sender: named('sender'), counter: 1n, recipients: sorted, body };
        return { bundle, expected: twin.bundleBytes(message) };
      });
      // Only now: one that is made later must not touch one that was made before.
      for (const { bundle, expected } of made) same(bundle, expected);
    }),
    runOptions(100),
  );
  assert.ok(drawn.length > 512, 'more than are asked for at once');
  assert.is(new Set(drawn).size, drawn.length);
});

test.run();
