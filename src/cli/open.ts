/**
 * `countersign open`: fetches what a stage has signed of a message, verifies it, and writes the claims to files: as a
 * party of the message by its key, or as the operator by a token at the internal port. Where an inbox has taken in what
 * nobody submitted, the evidence is written instead.
 */
import { addresses } from '../client/directory.js';
import type { OpenedStage, OpenOptions } from '../client/index.js';
import { submissionOf } from '../client/submission.js';
import { submittedBy } from '../protocol/evidence/index.js';
import {
  CountersignError,
  FormatError,
  isHandOver,
  MAX_U16,
  STAGE,
  type StageName,
  toHex,
  verifyOpening,
} from '../protocol/index.js';
import { readKeyFile } from '../server/key-file.js';
import { Answer, checked } from './answer.js';
import { clientFrom, clientOptions, idFrom, urlFrom } from './client-options.js';
import { type Command, type OptionValues, UsageError } from './command.js';
import { writeNew } from './files.js';
import { fetchVerified } from './manifest.js';

/** Of what answers the operator, and for how long nothing may come. */
const MAX_OPENING_BYTES = 64 << 20;
const PATIENCE_MS = 30_000;

const STAGES = Object.keys(STAGE) as StageName[];
const isMove = (stage: StageName) => isHandOver(STAGE[stage]);

export const command: Command = {
  name: 'open',
  summary: 'Fetch and verify what a stage of the server has signed of a message',
  options: {
    stage: { type: 'string', value: 'STAGE', about: `one of ${STAGES.join(', ')}` },
    epoch: {
      type: 'string',
      value: 'N',
      about: "of the message's place; of a hand-over that from which the version that moved is in force",
    },
    inbox: { type: 'string', value: 'N', about: "of the message's place; none of a hand-over" },
    index: { type: 'string', value: 'N', about: "of the message's place; none of a hand-over" },
    mailbox: {
      type: 'string',
      value: 'ID',
      about: 'whose item of it (default: your own; none at the inbox)',
    },
    out: {
      type: 'string',
      value: 'FILE',
      about: 'needed: the new file for the claim; a second one goes to FILE.2',
    },
    ...clientOptions,
    token: { type: 'string', value: 'FILE', about: "the operator's, instead of a key" },
    internal: {
      type: 'string',
      value: 'URL',
      default: 'http://127.0.0.1:7701',
      about: "the server's internal port, with a token",
    },
  },
  async run({ values, say }) {
    const options = optionsFrom(values);
    const out = values['out'] as string | undefined;
    if (out === undefined) throw new UsageError('--out: expected a file');
    const token = values['token'] as string | undefined;
    const opened = token === undefined ? await byKey(values, options) : await byToken(values, options, token);
    if (opened instanceof Uint8Array) throw await falseRow(opened, `${out}.evidence`);
    const files = opened.claims.map((_, i) => (i === 0 ? out : `${out}.${i + 1}`));
    for (const [i, file] of files.entries()) await writeNew(file, opened.claims[i]!);
    const isThere = opened.isThere;
    const what = isMove(options.stage)
      ? `${isThere ? 'it was handed over' : 'nothing of it was handed over'}, and both have signed that`
      : `the ${options.stage} ${isThere ? 'has it' : 'does not have it'}, and has signed that`;
    say(`${what}: ${files.join(', ')}`);
    const result = { stage: options.stage, isThere, files };
    if (options.stage !== 'inbox' || !isThere) return result;
    const { submission } = opened;
    if (!submission) say('its sender has not signed it, and need not have');
    else say(`signed by ${toHex(submission.sender)}, as number ${submission.counter}`);
    const submitter = submission && { sender: toHex(submission.sender), counter: submission.counter };
    return { ...result, submission: submitter };
  },
};

function optionsFrom(values: OptionValues): OpenOptions {
  const stage = STAGES.find((each) => each === values['stage']);
  if (!stage) throw new UsageError(`--stage: expected one of ${STAGES.join(', ')}`);
  const mailbox = values['mailbox'] as string | undefined;
  if (stage === 'inbox' && mailbox !== undefined)
    throw new UsageError('--mailbox: at the inbox there is none');
  return {
    stage,
    epoch: number(values, 'epoch', Number.MAX_SAFE_INTEGER),
    ...placeFrom(values, stage),
    ...(mailbox === undefined ? {} : { mailbox: idFrom('mailbox', mailbox) }),
  };
}

function placeFrom(values: OptionValues, stage: OpenOptions['stage']): Pick<OpenOptions, 'inbox' | 'index'> {
  if (!isMove(stage))
    return { inbox: number(values, 'inbox', MAX_U16), index: number(values, 'index', 0xffff_ffff) };
  for (const name of ['inbox', 'index'])
    if (values[name] !== undefined) throw new UsageError(`--${name}: a hand-over has no place`);
  return { inbox: 0, index: 0 };
}

function number(values: OptionValues, name: string, most: number): number {
  const text = values[name] as string | undefined;
  if (text !== undefined && /^(0|[1-9]\d{0,15})$/.test(text) && Number(text) <= most) return Number(text);
  throw new UsageError(`--${name}: expected an integer from 0 to ${most}, got ${text ?? 'none'}`);
}

/** Writes the evidence. */
async function falseRow(evidence: Uint8Array, file: string): Promise<CountersignError> {
  await writeNew(file, evidence);
  const text = `the inbox has taken in what nobody submitted: countersign verify judges ${file}`;
  return new CountersignError('verification-failed', text);
}

type OpenedByCommand = Omit<OpenedStage, 'continues'> | Uint8Array;

/** Bytes: evidence. */
async function byKey(values: OptionValues, options: OpenOptions): Promise<OpenedByCommand> {
  let evidence: Uint8Array | undefined;
  const client = await clientFrom(values, (on) => {
    on('evidence', (told) => {
      evidence = told.evidence;
    });
  });
  try {
    return await client.open(options);
  } catch (error) {
    if (evidence) return evidence;
    throw error;
  } finally {
    await client.close();
  }
}

async function byToken(values: OptionValues, options: OpenOptions, file: string): Promise<OpenedByCommand> {
  const { stage, epoch, inbox, index } = options;
  if (stage !== 'inbox' && !options.mailbox) throw new UsageError('--mailbox: expected with a token');
  const mailbox = (options.mailbox as Uint8Array | undefined) ?? new Uint8Array(32);
  const world = await fetchVerified(addresses(urlFrom(values)).http);
  const place = isMove(stage) ? {} : { inbox: `${inbox}`, index: `${index}` };
  const query = new URLSearchParams({ stage, epoch: `${epoch}`, ...place });
  if (stage !== 'inbox') query.set('mailbox', toHex(mailbox));
  const token = toHex(await readKeyFile(file));
  const { claims, submissions } = await checked(() =>
    fetchOpening(`${values['internal']}/v1/openings?${query}`, token),
  );
  const asked = { stage: STAGE[stage], epoch, inbox, index, mailbox };
  const isThere = verifyOpening(asked, claims, world.manifests);
  const submission = submissionOf({ submittedBy }, world, asked, null, isThere, claims[0]!, submissions[0]);
  return submission instanceof Uint8Array ? submission : { isThere, claims, submission };
}

async function fetchOpening(
  url: string,
  token: string,
): Promise<{ readonly claims: Uint8Array[]; readonly submissions: Uint8Array[] }> {
  const answer = await Answer.to(url, PATIENCE_MS, { authorization: `Bearer ${token}` });
  const body = (await answer.json(MAX_OPENING_BYTES)) as { claims?: unknown; submissions?: unknown } | null;
  const bytesOf = (all: unknown) => {
    if (!Array.isArray(all)) throw new FormatError('no list of what is opened');
    return all.map((each) => Uint8Array.from(Buffer.from(String(each), 'base64')));
  };
  return { claims: bytesOf(body?.claims), submissions: bytesOf(body?.submissions) };
}
