/** `countersign verify`: says what a piece of evidence proves, against whom and by which rule, or that it proves nothing. */
import {
  decodeEvidence,
  evidenceToJson,
  MAX_EVIDENCE,
  type Verdict,
  verdict,
} from '../protocol/evidence/index.js';
import { fromHex, ROLE_NAMES, toHex } from '../protocol/index.js';
import { type Command, Failure, type OptionValues, UsageError } from './command.js';
import { readAtMost } from './files.js';

export const command: Command = {
  name: 'verify',
  summary: 'Judge evidence: exit status 0 = proven, 1 = proves nothing, 2 = unreadable',
  positionals: 'FILE',
  options: {
    server: { type: 'string', value: 'ID', about: 'id of the server, 64 hexadecimal digits' },
    root: { type: 'string', value: 'KEY', about: "the operator's root key, 64 hexadecimal digits" },
    show: { type: 'boolean', about: 'print the evidence as JSON, too: for reading only' },
  },
  async run({ values, positionals, say }) {
    const [file, ...others] = positionals;
    if (file === undefined || others.length > 0) throw new UsageError('one FILE of evidence is expected');
    const [server, root] = [idFrom(values, 'server'), idFrom(values, 'root')];
    const bytes = await read(file);
    const found = verdict(bytes, server, root);
    const result = inJson(found, values['show'] === true ? bytes : null);
    if (found.outcome === 'unreadable') throw unreadable(found.text, result);
    if (values['show'] === true) say(JSON.stringify(result.evidence, null, 2));
    if (found.outcome === 'nothing')
      throw new Failure(
        'proves-nothing',
        found.text,
        'Evidence that proves nothing convicts nobody.',
        result,
      );
    say(found.text);
    say(`By rule ${found.rule}: see docs/PROTOCOL.md, "The rules".`);
    return result;
  },
};

function idFrom(values: OptionValues, name: string): Uint8Array {
  const text = values[name];
  if (typeof text !== 'string') throw new UsageError(`--${name} is needed: a verdict is about one server`);
  try {
    return fromHex(text, 32);
  } catch (error) {
    throw new UsageError(`--${name}: ${(error as Error).message}`);
  }
}

async function read(file: string): Promise<Uint8Array> {
  try {
    return await readAtMost(file, MAX_EVIDENCE);
  } catch (error) {
    const text = (error as Error).message;
    throw unreadable(text, { outcome: 'unreadable', text });
  }
}

function unreadable(text: string, result: object): Failure {
  return new Failure('unreadable', text, 'Is it a file of evidence, and whole?', result, 2);
}

/** Bytes in hexadecimal, roles by name. */
function inJson(found: Verdict, bytes: Uint8Array | null) {
  const key = 'key' in found ? { key: toHex(found.key) } : {};
  const role = 'role' in found ? { role: ROLE_NAMES[found.role] } : {};
  const named = (each: { role: number; index: number }) => `${ROLE_NAMES[each.role]} ${each.index}`;
  const suspects = found.outcome === 'server' ? { suspects: found.suspects.map(named) } : {};
  const shown =
    bytes && found.outcome !== 'unreadable' ? { evidence: evidenceToJson(decodeEvidence(bytes)) } : {};
  return { ...found, ...key, ...role, ...suspects, ...shown } as Record<string, unknown> & {
    evidence?: unknown;
  };
}
