// What this example needs of ts-mls: one cipher suite, members that are Countersign keys, and who sent a message.
import {
  decodeMlsMessage,
  defaultCapabilities,
  defaultKeyPackageEqualityConfig,
  defaultKeyRetentionConfig,
  defaultLifetime,
  defaultLifetimeConfig,
  defaultPaddingConfig,
  emptyPskIndex,
  encodeMlsMessage,
  generateKeyPackageWithKey,
  getCiphersuiteFromName,
  getCiphersuiteImpl,
  joinGroup,
} from 'ts-mls';
import { decryptSenderData } from 'ts-mls/privateMessage.js';

export const suite = await getCiphersuiteImpl(
  getCiphersuiteFromName('MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519'),
);

export const hex = (bytes) => Buffer.from(bytes).toString('hex');
export const equal = (a, b) => Buffer.compare(a, b) === 0;

/**
 * A member's MLS signature key is its Countersign key, and its credential says nothing else: nobody else can be put
 * into a group under its id. What the two protocols sign begins with different bytes.
 */
export const config = {
  keyRetentionConfig: defaultKeyRetentionConfig,
  lifetimeConfig: defaultLifetimeConfig,
  keyPackageEqualityConfig: defaultKeyPackageEqualityConfig,
  paddingConfig: defaultPaddingConfig,
  authService: {
    validateCredential: async ({ credentialType, identity }, key) =>
      credentialType === 'basic' && equal(identity, key),
  },
};

export function makeKeyPackage(id, key) {
  const credential = { credentialType: 'basic', identity: id };
  const pair = { signKey: key, publicKey: id };
  return generateKeyPackageWithKey(credential, defaultCapabilities(), defaultLifetime, [], pair, suite);
}

/** Into the group that a welcome is of, by the key package that it was made for. */
export function joinBy(welcome, publicPackage, privatePackage) {
  const nothing = undefined;
  return joinGroup(welcome, publicPackage, privatePackage, emptyPskIndex, suite, nothing, nothing, config);
}

/** `wireformat` is the name of what is sent, such as `mls_welcome`; its field has the same name in camel case. */
export function encode(wireformat, content) {
  const field = wireformat.replace(/^mls_/, '').replace(/_(.)/g, (_, letter) => letter.toUpperCase());
  return encodeMlsMessage({ version: 'mls10', wireformat, [field]: content });
}

/** Throws on anything but exactly one message. */
export function decode(bytes) {
  const [message, length] = decodeMlsMessage(bytes, 0) ?? [];
  if (!message || length !== bytes.length) throw new Error('not an MLS message');
  return message;
}

const leaves = (tree) => tree.filter((node) => node?.nodeType === 'leaf').map(({ leaf }) => leaf);

/** Ids of the members, in hexadecimal. */
export const membersOf = ({ ratchetTree }) =>
  leaves(ratchetTree).map(({ credential }) => hex(credential.identity));

/** Where a member is in the tree; negative: it is no member. */
export const leafOf = ({ ratchetTree }, id) =>
  ratchetTree.findIndex((node) => node?.nodeType === 'leaf' && hex(node.leaf.credential.identity) === id) / 2;

/** Who says that it has encrypted this, by the leaf that its signature is then checked with. Throws if it cannot be told. */
export async function senderOf(group, message) {
  const past = group.historicalReceiverData.get(message.epoch);
  const isNow = message.epoch === group.groupContext.epoch;
  if (!isNow && !past) throw new Error(`epoch ${message.epoch} is not kept any more, or not ours`);
  const secret = isNow ? group.keySchedule.senderDataSecret : past.senderDataSecret;
  const tree = isNow ? group.ratchetTree : past.ratchetTree;
  const { leafIndex } = await decryptSenderData(message, secret, suite);
  return hex(tree[leafIndex * 2].leaf.credential.identity);
}

/**
 * The state after one's own commit. It was made when the commit was; since then the epoch that it ends has gone on, and
 * so have older ones: what was received has used up keys, which are zero by now in what the commit's maker copied.
 */
export function afterOwnCommit(next, group) {
  const { epoch } = group.groupContext;
  const past = [...next.historicalReceiverData].map(([each, data]) => [
    each,
    each === epoch
      ? { ...data, secretTree: group.secretTree }
      : (group.historicalReceiverData.get(each) ?? data),
  ]);
  return { ...next, historicalReceiverData: new Map(past) };
}
