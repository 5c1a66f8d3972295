/** Reading source text without a parser: what is code, what is comment or string, who imports whom. */
import { posix } from 'node:path';

export interface SourceFile {
  /** From the repository's root, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

/** A house rule: the complaints it has about these files, empty when all is well. */
export type Rule = (files: readonly SourceFile[]) => string[];

export interface Import {
  /** As written. */
  readonly specifier: string;
  /** The file of ours that it names, from the root; undefined for packages and builtins. */
  readonly target: string | undefined;
  readonly typeOnly: boolean;
}

const LITERAL = /\/\/[^\n]*|\/\*[\s\S]*?\*\/|'(?:\\[\s\S]|[^'\\\n])*'|"(?:\\[\s\S]|[^"\\\n])*"/y;
const REGEXP = /\/(?![/*])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/[a-z]*/y;
// After one of these (or at the start) a slash begins a regular expression, not a division.
const BEFORE_REGEXP = /(?:^|[=(,:[!&|?{};+\-*%<>~^]|\b(?:return|typeof|case|in|of|=>))\s*$/;

const spaces = (text: string) => text.replace(/[^\n]/g, ' ');
const underscores = (text: string) => `${text[0]}${text.slice(1, -1).replace(/[^\n]/g, '_')}${text.at(-1)}`;

function matchAt(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}

/** The end of the template part that begins at `at`: behind its closing backtick or its `${`. */
function templateEnd(text: string, at: number): number {
  let end = at;
  while (end < text.length && text[end] !== '`' && !text.startsWith('${', end)) {
    end += text[end] === '\\' ? 2 : 1;
  }
  return end + (text[end] === '`' ? 1 : 2);
}

/**
 * The text with every comment blanked out, and every string's, template's and regular expression's
 * inside too (as underscores) unless `keepStrings`. Every character keeps its line and column.
 */
export function codeOnly(text: string, keepStrings = false): string {
  const hide = keepStrings ? (part: string) => part : underscores;
  // For each open `${`, how many braces are open inside of it.
  const templates: number[] = [];
  let code = '';
  let at = 0;
  while (at < text.length) {
    const char = text[at];
    const resumes = char === '}' && templates.at(-1) === 0;
    let part = char;
    if (char === '`' || resumes) {
      if (resumes) templates.pop();
      const end = templateEnd(text, at + 1);
      if (text[end - 1] === '{') templates.push(0);
      part = hide(text.slice(at, end));
    } else {
      const depth = templates.length - 1;
      if (depth >= 0 && char === '{') templates[depth] += 1;
      if (depth >= 0 && char === '}') templates[depth] -= 1;
      const literal = `/'"`.includes(char) ? matchAt(LITERAL, text, at) : undefined;
      const regexp =
        char === '/' && !literal && BEFORE_REGEXP.test(code.slice(-40)) && matchAt(REGEXP, text, at);
      if (literal) part = char === '/' ? spaces(literal) : hide(literal);
      else if (regexp) part = hide(regexp);
    }
    code += part;
    at += part.length;
  }
  return code;
}

/** The number of the line that holds this offset, from 1. */
export function lineAt(text: string, offset: number): number {
  return text.slice(0, offset).split('\n').length;
}

const FROM = /\b(?:import|export)\s+(type\s)?[^'"`;()]*?\bfrom\s*(['"])([^'"]+)\2/g;
const BARE = /\b(?:import|require)\s*\(?\s*(['"])([^'"]+)\1/g;

function resolveTarget(from: string, specifier: string): string | undefined {
  if (specifier === '#crypto') return 'src/crypto/node.ts';
  const own = /^countersign\/(\w+)$/.exec(specifier);
  if (own) return `src/${own[1]}/index.ts`;
  if (!specifier.startsWith('.')) return undefined;
  return posix.join(posix.dirname(from), specifier).replace(/\.js$/, '.ts');
}

/** Every import, re-export, dynamic import and require of a file. */
export function importsOf({ path, text }: SourceFile): Import[] {
  const [code, bare] = [codeOnly(text, true), codeOnly(text)];
  // An import inside a string is none: there the bare code shows no keyword.
  const real = (match: RegExpMatchArray) => /^(?:import|export|require)/.test(bare.slice(match.index));
  const from = [...code.matchAll(FROM)].filter(real);
  const other = [...code.matchAll(BARE)].filter(real);
  return [
    ...from.map((match) => ({ specifier: match[3], typeOnly: Boolean(match[1]) })),
    ...other.map((match) => ({ specifier: match[2], typeOnly: false })),
  ].map((each) => ({ ...each, target: resolveTarget(path, each.specifier) }));
}
