/** What the documents promise must be there. */
import { posix } from 'node:path';
import { codeOnly, lineAt, type Rule, type SourceFile } from './source.js';

const ERRORS_FILE = 'src/protocol/errors.ts';
const PROTOCOL_FILE = 'docs/PROTOCOL.md';
/** Top-level names by which a path of ours is told from other words with slashes. */
const PATH = /^(?:\.\/)?((?:src|test|docs|bench|examples|dist|\.ci)\/[\w./*-]*|[A-Z]+\.md|package\.json)$/;

const isDocument = ({ path }: SourceFile) => /^((bench\/)?README\.md|docs\/.*\.md)$/.test(path);
const find = (files: readonly SourceFile[], path: string) => files.find((file) => file.path === path);

/** The keys of `ERRORS`, at the outermost level of its object. */
function errorCodes(text: string): string[] {
  const code = codeOnly(text, true);
  const declared = /\bconst\s+ERRORS\b[^=]*=[^{]*/.exec(code);
  if (!declared) return [];
  const codes: string[] = [];
  const start = declared.index + declared[0].length;
  // Over the text without strings, so that no brace in one counts.
  const bare = codeOnly(text);
  let depth = 0;
  for (let at = start; at < code.length; at++) {
    if ('{[('.includes(bare[at])) depth++;
    if ('}])'.includes(bare[at])) depth--;
    if (depth === 0) break;
    if (depth !== 1 || !'{,'.includes(bare[at])) continue;
    const key = /^\s*(?:(['"])([^'"]+)\1|([\w$]+))\s*[:(]/.exec(code.slice(at + 1));
    if (key) codes.push(key[2] ?? key[3]);
  }
  return codes;
}

/** Every `#### some-code` (one word, kebab-case) of the protocol document is an error's heading. */
export const errorsDocumented: Rule = (files) => {
  const [source, document] = [find(files, ERRORS_FILE), find(files, PROTOCOL_FILE)];
  if (!source || !document) return [];
  const codes = errorCodes(source.text);
  const headings = [...document.text.matchAll(/^#### `?([a-z0-9]+(?:-[a-z0-9]+)*)`?\s*$/gm)].map(
    (match) => match[1],
  );
  const complaints = codes.length === 0 ? [`${ERRORS_FILE}: no code found in ERRORS`] : [];
  for (const code of codes) {
    if (!headings.includes(code)) complaints.push(`${PROTOCOL_FILE}: no heading #### ${code}`);
    if (!/^[a-z0-9]+(-[a-z0-9]+)*$/.test(code)) complaints.push(`${ERRORS_FILE}: ${code} is not kebab-case`);
  }
  for (const [index, heading] of headings.entries()) {
    if (!codes.includes(heading)) complaints.push(`${ERRORS_FILE}: no error for the heading #### ${heading}`);
    if (headings.indexOf(heading) < index) complaints.push(`${PROTOCOL_FILE}: #### ${heading} twice`);
  }
  return complaints;
};

/** The table of operator errors lists the codes that server and command line give to them, and no other. */
export const operatorErrorsDocumented: Rule = (files) => {
  const document = find(files, PROTOCOL_FILE);
  const sources = files.filter(({ path }) => /^src\/(server|cli)\//.test(path));
  if (!document || sources.length === 0) return [];
  const thrown = sources.flatMap(({ text }) =>
    [...text.matchAll(/new (?:OperatorError|Failure)\(\s*'([^']+)'/g)].map((match) => match[1]),
  );
  const section = document.text.split(/^### Operator errors$/m)[1]?.split(/^##/m)[0] ?? '';
  const listed = [...section.matchAll(/^\| `([^`]+)` \|/gm)].map((match) => match[1]);
  return [
    ...[...new Set(thrown)]
      .filter((code) => !listed.includes(code))
      .map((code) => `${PROTOCOL_FILE}: operator error ${code} is missing`),
    ...listed
      .filter((code) => !thrown.includes(code))
      .map((code) => `${PROTOCOL_FILE}: there is no operator error ${code}`),
  ];
};

export const scriptsExist: Rule = (files) => {
  const scripts = JSON.parse(find(files, 'package.json')?.text ?? '{}').scripts ?? {};
  return files
    .filter(isDocument)
    .flatMap(({ path, text }) =>
      [...text.matchAll(/\bnpm (?:run(?:-script)?\s+(?:-\S+\s+)*([\w:-]+)|(test|start)\b)/g)]
        .filter((match) => !Object.hasOwn(scripts, match[1] ?? match[2]))
        .map((match) => `${path}:${lineAt(text, match.index)}: no such script: ${match[0]}`),
    );
};

/** A compiled path is good when its source is there. */
function sourceOf(path: string): string {
  return path
    .replace(/^dist\//, '')
    .replace(/(\.d)?\.[jt]s$/, '.ts')
    .replace(/\/$/, '');
}

function exists(files: readonly SourceFile[], wanted: string): boolean {
  const path = sourceOf(wanted);
  // The compiler makes the one, esbuild the other.
  if (path === 'dist' || /^browser\/(client|verdict|witnesses)\.ts$/.test(path)) return true;
  const pattern = path.replace(/[.+?^$()|[\]\\{}]/g, '\\$&').replace(/\*+/g, '.*');
  return files.some((file) => new RegExp(`^${pattern}(/|$)`).test(file.path));
}

/** Words in backticks, and the words of fenced blocks, each with its offset. */
function quotedWords(text: string): { word: string; offset: number }[] {
  const quoted = /^```[^\n]*\n([\s\S]*?)^```|`([^`\n]+)`/gm;
  return [...text.matchAll(quoted)].flatMap((match) =>
    [...match[0].matchAll(/[^\s`'"(),;:|]+/g)].map((word) => ({
      word: word[0].replace(/\.$/, ''),
      offset: match.index + word.index,
    })),
  );
}

export const pathsExist: Rule = (files) =>
  files.filter(isDocument).flatMap(({ path, text }) =>
    quotedWords(text).flatMap(({ word, offset }) => {
      const named = PATH.exec(word)?.[1];
      if (!named || exists(files, named)) return [];
      return [`${path}:${lineAt(text, offset)}: no such path: ${word}`];
    }),
  );

export const linksLead: Rule = (files) =>
  files
    .filter(isDocument)
    .flatMap(({ path, text }) =>
      [...text.matchAll(/\]\(([^)#\s]+)[^)]*\)/g)]
        .filter(([, link]) => !/^[a-z]+:/.test(link) && !exists(files, posix.join(posix.dirname(path), link)))
        .map((match) => `${path}:${lineAt(text, match.index)}: a link to nothing: ${match[1]}`),
    );
