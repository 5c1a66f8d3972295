// A member of one MLS group. Countersign is the group's delivery service: whatever changes the group's state is taken
// in the one order in which the server has put it for everybody, one message after another.
import { comparePlaces } from 'countersign/protocol';
import {
  createApplicationMessage,
  createCommit,
  createGroup,
  emptyPskIndex,
  processPrivateMessage,
  zeroOutUint8Array,
} from 'ts-mls';
import {
  afterOwnCommit,
  config,
  decode,
  encode,
  equal,
  hex,
  joinBy,
  leafOf,
  makeKeyPackage,
  membersOf,
  senderOf,
  suite,
} from './mls.mjs';
import { loadState, saveState } from './state-file.mjs';

/** Messages that may come before one's welcome. */
const MOST_EARLY = 1000;
/** Texts that may be under way. */
const MOST_SAID = 1000;
/** How often a change may lose against other commits. */
const MOST_ATTEMPTS = 100;

export class Member {
  /** What the next save makes true outside: secrets to wipe, events to tell, commits to settle. */
  #afterSave = [];
  #steps = Promise.resolve();
  #changes = Promise.resolve();
  #settle = null;

  /**
   * @param client connected to Countersign with `key`; the member reads its mailbox
   * @param key 32 secret bytes, for both protocols
   * @param file where the member's state is kept, and found again
   * @param log a `KnownLog` that watches the client's store
   * @param onEvent told `{ type, … }`: `asks` to join (id, keyPackage), `joined`, `epoch` (epoch, by), `lost` (epoch: of one's
   *   own commit, which is made anew), `text` (from, text, place), `removed`, `refused` (from, error), `anchor` (from, result)
   */
  static async open({ client, key, file, log, onEvent = () => {} }) {
    const member = new Member(client, key, file, log, onEvent, await loadState(file));
    const { pending, welcomes } = member.state;
    await member.#inOrder(() => member.#takeEarly());
    // Nobody knows whether these were sent before the last end. Once more does no harm: only the first one counts.
    if (pending) member.#change(pending.change).catch(() => {});
    for (const welcome of welcomes) member.#sendWelcome(welcome);
    member.ended = member.#run();
    // Who wants to know waits for it.
    member.ended.catch(() => {});
    return member;
  }

  constructor(client, key, file, log, onEvent, state) {
    Object.assign(this, { client, key, file, log, onEvent, state, id: hex(client.id) });
  }

  get epoch() {
    return this.state.group ? Number(this.state.group.groupContext.epoch) : null;
  }

  get members() {
    return this.state.group ? membersOf(this.state.group) : [];
  }

  /** The same for all members of one epoch, and for nobody else: what two people can compare. */
  get authenticator() {
    return this.state.group && hex(this.state.group.keySchedule.epochAuthenticator);
  }

  /** Ends with the client. Rejects when the client fails or the state cannot be saved. */
  async #run() {
    for await (const message of this.client.mailbox()) await this.#inOrder(() => this.#take(message));
  }

  async close() {
    await this.client.close();
    await this.ended.catch(() => {});
    await this.#steps;
  }

  /** All changes of the state, sent and received, one after another. */
  #inOrder(step) {
    const done = this.#steps.then(step);
    this.#steps = done.catch(() => {});
    return done;
  }

  /** Makes a change durable. What is to be sent or acknowledged because of it comes after that. */
  async #save(changes) {
    const next = { ...this.state, ...changes };
    await saveState(this.file, next);
    this.state = next;
    for (const run of this.#afterSave.splice(0)) run();
  }

  #tell(event) {
    this.#afterSave.push(() => this.onEvent(event));
  }

  #wipe(secrets) {
    this.#afterSave.push(() => secrets.forEach(zeroOutUint8Array));
  }

  // ---- what a member does

  create(name) {
    return this.#inOrder(async () => {
      const { publicPackage, privatePackage } = await makeKeyPackage(this.client.id, this.key);
      const id = new TextEncoder().encode(name);
      await this.#save({ group: await createGroup(id, publicPackage, privatePackage, [], suite, config) });
    });
  }

  /** Asks a member to be invited. */
  async ask(member) {
    const { send } = await this.#inOrder(async () => {
      // The same for whoever is asked: the welcome of any of them can then be opened.
      const keys = this.state.keys ?? (await makeKeyPackage(this.client.id, this.key));
      await this.#save({ keys });
      return this.#send([member], encode('mls_key_package', keys.publicPackage));
    });
    await send;
  }

  /** Resolves with the receipt. */
  async say(text) {
    const { send } = await this.#inOrder(async () => {
      const { group, said } = this.#joined();
      if (said.length >= MOST_SAID) throw new Error(`${MOST_SAID} texts are under way already`);
      const data = new TextEncoder().encode(text);
      const made = await createApplicationMessage(group, data, suite, this.log.anchor());
      const body = encode('mls_private_message', made.privateMessage);
      this.#wipe(made.consumed);
      // Before it is sent: a key that is forgotten in a crash would be used for two texts.
      await this.#save({ group: made.newState, said: [...said, { body, text }] });
      return this.#send(membersOf(group), body);
    });
    return send;
  }

  /** Resolves, like the other changes, once the member is in the group, whoever has added it. */
  invite(keyPackage) {
    return this.#change({ type: 'add', keyPackage });
  }

  remove(id) {
    return this.#change({ type: 'remove', id });
  }

  /** New keys for this member's place in the group. */
  rotate() {
    return this.#change({ type: 'rotate' });
  }

  #joined() {
    if (!this.state.group) throw new Error('not in a group');
    return this.state;
  }

  /** The receipt comes by the mailbox, which waits for the step that sends: so that is not waited for in it. */
  #send(to, body) {
    return { send: this.client.send({ to, body }) };
  }

  // ---- commits of one's own

  #change(change) {
    const done = this.#changes.then(() => this.#commit(change));
    this.#changes = done.catch(() => {});
    return done;
  }

  /** Tries until the change has won, or is no longer needed. Whenever it loses, another change has gone through. */
  async #commit(change) {
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      const { outcome } = await this.#inOrder(() => this.#propose(change));
      if ((await outcome) !== 'lost') return;
    }
    throw new Error(`lost ${MOST_ATTEMPTS} times against other commits`);
  }

  /** The group's state stays as it is until the commit has come back: it may be the second of its epoch. */
  async #propose(change) {
    const { group } = this.#joined();
    if (!this.state.pending) {
      const proposals = proposalsOf(change, group);
      if (!proposals) return { outcome: 'done' };
      const made = await createCommit(
        { state: group, cipherSuite: suite },
        { extraProposals: proposals, ratchetTreeExtension: true, authenticatedData: this.log.anchor() },
      );
      const pending = {
        change,
        body: encode(made.commit.wireformat, made.commit.privateMessage),
        next: made.newState,
        welcome: made.welcome ? encode('mls_welcome', made.welcome) : null,
        joiner: made.welcome ? hex(change.keyPackage.leafNode.credential.identity) : null,
        // Not wiped yet: a commit that loses goes back to them.
        consumed: made.consumed,
      };
      await this.#save({ pending });
    }
    const { body } = this.state.pending;
    const outcome = new Promise((resolve, reject) => {
      this.#settle = resolve;
      const { send } = this.#send(membersOf(group), body);
      send.catch((error) => this.#unsent(body, error, reject)).catch(reject);
    });
    return { outcome };
  }

  /** Only what is surely not in the order is given up. A client that is over leaves it to its next life. */
  async #unsent(body, error, reject) {
    if (error.code === 'receipt-delayed') return;
    if (['connecting', 'connected'].includes(this.client.state))
      await this.#inOrder(() => {
        if (this.state.pending?.body === body) return this.#save({ pending: null });
      });
    reject(error);
  }

  /** The first commit of this epoch in the order of all is one's own. */
  #won() {
    const { group, pending } = this.state;
    const { welcome, joiner, next, consumed } = pending;
    this.#wipe(consumed);
    this.#settled('won');
    this.#tell({ type: 'epoch', epoch: Number(next.groupContext.epoch), by: this.id });
    const changes = { group: afterOwnCommit(next, group), pending: null };
    if (!welcome) return changes;
    const due = { to: joiner, body: welcome };
    this.#afterSave.push(() => this.#sendWelcome(due));
    return { ...changes, welcomes: [...this.state.welcomes, due] };
  }

  #settled(outcome) {
    const settle = this.#settle;
    this.#settle = null;
    if (settle) this.#afterSave.push(() => settle(outcome));
  }

  /** Never before its commit has won: the newcomer would be in a group that nobody else is in. */
  #sendWelcome(welcome) {
    const { send } = this.#send([welcome.to], welcome.body);
    const done = () =>
      this.#inOrder(() => this.#save({ welcomes: this.state.welcomes.filter((each) => each !== welcome) }));
    send.then(done).catch(() => {}); // If not, in the next life.
  }

  // ---- what comes

  async #take(message) {
    const { sender, place } = message;
    if (comparePlaces(place, this.state.place) <= 0) return; // Once more: it was saved, and not acknowledged.
    const changes = await this.#changesOf({
      sender: hex(sender),
      body: Uint8Array.from(message.body),
      place,
    });
    await this.#save({ ...changes, place });
  }

  /** A message that is not valid changes nothing, for anybody. */
  async #changesOf(message) {
    const done = this.#afterSave.length;
    try {
      return await this.#process(message);
    } catch (error) {
      this.#afterSave.length = done;
      this.#tell({ type: 'refused', from: message.sender, error });
      return {};
    }
  }

  #process(message) {
    const mls = decode(message.body);
    switch (mls.wireformat) {
      case 'mls_key_package':
        return this.#asked(message, mls.keyPackage);
      case 'mls_welcome':
        return this.#join(message, mls.welcome);
      case 'mls_private_message':
        return this.state.group
          ? this.#receive(message, mls.privateMessage)
          : this.#keepEarly(message, this.state);
      default:
        throw new Error(`${mls.wireformat} is not for members`);
    }
  }

  /** ts-mls checks the key package when it is added, and that it is its identity's; here, that it is the sender's. */
  #asked({ sender }, keyPackage) {
    if (hex(keyPackage.leafNode.credential.identity) !== sender)
      throw new Error('the key package of another');
    this.#tell({ type: 'asks', id: sender, keyPackage });
    return {};
  }

  /** Members know of a newcomer before it has its welcome, and may write to it. */
  #keepEarly(message, { keys, early }) {
    if (!keys) throw new Error('not in a group');
    if (early.length >= MOST_EARLY) throw new Error(`${MOST_EARLY} messages came before a welcome`);
    return { early: [...early, message] };
  }

  async #join({ sender }, welcome) {
    const { group, keys } = this.state;
    if (group) return {};
    if (!keys) throw new Error('a welcome that nobody asked for');
    const { publicPackage, privatePackage } = keys;
    const joined = await joinBy(welcome, publicPackage, privatePackage);
    if (!membersOf(joined).includes(sender)) throw new Error('a welcome of somebody who is no member');
    this.#tell({ type: 'joined', epoch: Number(joined.groupContext.epoch) });
    await this.#save({ group: joined, keys: null });
    await this.#takeEarly();
    return {};
  }

  async #takeEarly() {
    if (!this.state.group) return;
    for (const message of this.state.early) {
      const changes = await this.#changesOf(message);
      await this.#save({ ...changes, early: this.state.early.slice(1) });
    }
  }

  async #receive(message, mls) {
    const { group, pending } = this.state;
    if (mls.contentType === 'commit') {
      // The first commit of an epoch ends it. Every other one of that epoch has lost, for everybody.
      if (mls.epoch < group.groupContext.epoch) return {};
      if (pending && equal(pending.body, message.body)) return this.#won();
    } else if (message.sender === this.id) return this.#own(message);
    const sender = await senderOf(group, mls);
    // MLS says who has sent it. What the server says must agree.
    if (sender !== message.sender) throw new Error(`by ${sender}, and not by who the server says`);
    const result = await processPrivateMessage(group, mls, emptyPskIndex, suite);
    this.#wipe(result.consumed);
    const anchor = await this.log.check(mls.authenticatedData, sender, this.client);
    this.#tell({ type: 'anchor', from: sender, result: anchor });
    if (result.kind === 'newState') return this.#moved(result.newState, sender);
    const text = new TextDecoder().decode(result.message);
    this.#tell({ type: 'text', from: sender, text, place: message.place });
    return { group: result.newState };
  }

  /** One's own text, at its place among those of the others. */
  #own({ sender, body, place }) {
    const { said } = this.state;
    const found = said.find((each) => equal(each.body, body));
    if (found) this.#tell({ type: 'text', from: sender, text: found.text, place });
    return { said: said.filter((each) => each !== found) };
  }

  /** Another one's commit was first: one's own, if there is one, has lost. */
  #moved(group, by) {
    const { pending } = this.state;
    if (group.groupActiveState.kind === 'removedFromGroup') {
      this.#settled('lost');
      this.#tell({ type: 'removed', by });
      return { group: null, pending: null, said: [] };
    }
    if (pending) this.#tell({ type: 'lost', epoch: this.epoch });
    this.#settled('lost');
    this.#tell({ type: 'epoch', epoch: Number(group.groupContext.epoch), by });
    return { group, pending: null };
  }
}

/** What a change takes in the group as it is now; null when it is so already. */
function proposalsOf(change, group) {
  if (change.type === 'rotate') return [];
  if (change.type === 'add') {
    const { keyPackage } = change;
    if (leafOf(group, hex(keyPackage.leafNode.credential.identity)) >= 0) return null;
    return [{ proposalType: 'add', add: { keyPackage } }];
  }
  const removed = leafOf(group, change.id);
  return removed < 0 ? null : [{ proposalType: 'remove', remove: { removed } }];
}
