/** What code may contain, and how long it may be. */
import { codeOnly, lineAt, type Rule, type SourceFile } from './source.js';

const MAX_FUNCTION_LINES = 70;
const MAX_FILE_LINES = 400;

const isCode = ({ path }: SourceFile) => /^(src|test|bench|examples)\/.*\.ts$/.test(path);

/** One complaint per match of `pattern` in the code (not the comments, not the strings) of a file. */
function complain({ path, text }: SourceFile, pattern: RegExp, why: string): string[] {
  return [...codeOnly(text).matchAll(pattern)].map(
    (match) => `${path}:${lineAt(text, match.index)}: ${match[0].trim()}: ${why}`,
  );
}

const AMBIENT =
  /\b(?:Date\.now|performance\.now|process\.hrtime|Math\.random)\b|\bnew Date\(\s*\)|(?:(?<![.\w$])|\bglobalThis\.)(?:setTimeout|setInterval|setImmediate)\s*\(|(?<![.\w$])console\./g;

/** Clock, chance, timers and console are given to the pure parts, never taken by them. */
export const noAmbient: Rule = (files) =>
  files
    .filter(({ path }) => /^src\/(protocol|actors)\//.test(path))
    .flatMap((file) => complain(file, AMBIENT, 'pure code takes this as a parameter'));

export const consoleAtHome: Rule = (files) =>
  files
    .filter(({ path }) => path.startsWith('src/') && !/^src\/(cli|protocol|actors)\//.test(path))
    .flatMap((file) => complain(file, /(?<![.\w$])console\./g, 'only src/cli writes to the console'));

/** A uvu suite that is never run passes in silence; `.only` silences the others. ('___' is 'uvu'.) */
export const suitesRun: Rule = (files) =>
  files
    .filter(({ path }) => path.endsWith('.test.ts'))
    .flatMap((file) => {
      const code = codeOnly(file.text);
      const names = [...code.matchAll(/\b(?:const|let)\s+(\w+)\s*=\s*suite\s*[(<]/g)].map(
        (match) => match[1],
      );
      const imported = /\bimport\s*\{[^}]*?\btest(?:\s+as\s+(\w+))?\b[^}]*\}\s*from\s*['"]___['"]/.exec(code);
      if (imported) names.push(imported[1] ?? 'test');
      const forgotten = names.filter((name) => !new RegExp(`(?<![.\\w$])${name}\\.run\\(\\)`).test(code));
      const complaints = forgotten.map((name) => `${file.path}: suite ${name} is never run`);
      if (names.length === 0) complaints.push(`${file.path}: makes no suite`);
      return [...complaints, ...complain(file, /\b\w+\.only\(/g, 'leaves out all other tests')];
    });

/** Where the verdict is the subject, or its time: or a page that has no second verifier. */
const VERDICTS_AT_HOME = [
  'test/support/verdicts.ts',
  'test/mutation/judge.ts',
  'test/costs/dispute.ts',
  'test/long/browser.test.ts',
];

/** What evidence proves is what two verifiers say that it proves. */
export const bothVerdicts: Rule = (files) =>
  files
    .filter(({ path }) => /^test\/(?!twin\/).*\.ts$/.test(path) && !VERDICTS_AT_HOME.includes(path))
    .flatMap((file) =>
      complain(
        file,
        /(?<![.\w$])(?:verdict|secondVerdict)\s*\(/g,
        'bothSay or agreed of test/support/verdicts.ts ask both',
      ),
    );

/** True when a `{` after this text opens a function's body. Errs towards yes, which harms little. */
function opensFunction(before: string): boolean {
  const header = before.slice(
    Math.max(before.lastIndexOf(';'), before.lastIndexOf('{'), before.lastIndexOf('}')) + 1,
  );
  if (/=>\s*$/.test(header)) return true;
  if (!header.includes(')') || /[,(=:[?|&<]\s*$|\b(?:return|default|satisfies)\s*$/.test(header))
    return false;
  return !/^\s*(?:else\s+)?(?:if|for|while|switch|catch|with)\b|\b(?:class|interface|enum|namespace)\s/.test(
    header,
  );
}

/** Functions with too many lines of code: neither blank ones nor comments count. */
export const shortFunctions: Rule = (files) =>
  files.filter(isCode).flatMap(({ path, text }) => {
    const code = codeOnly(text);
    const complaints: string[] = [];
    const open: { start: number; isFunction: boolean }[] = [];
    for (const { 0: brace, index } of code.matchAll(/[{}]/g)) {
      if (brace === '{') {
        open.push({ start: index, isFunction: opensFunction(code.slice(Math.max(0, index - 1000), index)) });
        continue;
      }
      const block = open.pop();
      if (!block?.isFunction) continue;
      const lines = code
        .slice(block.start, index + 1)
        .split('\n')
        .filter((line) => line.trim()).length;
      if (lines <= MAX_FUNCTION_LINES) continue;
      complaints.push(
        `${path}:${lineAt(text, block.start)}: a function of ${lines} lines, at most ${MAX_FUNCTION_LINES}`,
      );
    }
    return complaints;
  });

export const shortFiles: Rule = (files) =>
  files
    .filter(({ path }) => path.startsWith('src/'))
    .map(({ path, text }) => ({ path, lines: text.trimEnd().split('\n').length }))
    .filter(({ lines }) => lines > MAX_FILE_LINES)
    .map(({ path, lines }) => `${path}: ${lines} lines, at most ${MAX_FILE_LINES}`);

/** One complaint per line of any text file that `finds` something. */
function complainByLine(files: readonly SourceFile[], finds: (line: string) => string | undefined): string[] {
  return files.flatMap(({ path, text }) =>
    text.split('\n').flatMap((line, index) => {
      const complaint = finds(line);
      return complaint ? [`${path}:${index + 1}: ${complaint}`] : [];
    }),
  );
}

export const toDosHaveIssues: Rule = (files) =>
  complainByLine(files, (line) => {
    return /\b(?:TO[D]O|FIX[M]E)\b/.test(line) && !/#\d+/.test(line)
      ? 'to be done, but without an issue number'
      : undefined;
  });

/** Paths of the machine that something was written on mean nothing to a reader. */
export const noMachinePaths: Rule = (files) =>
  complainByLine(files, (line) => {
    const found = /(?<![\w.$}\])*-])\/(?:work|root)\/[\w.-]*/.exec(line);
    return found ? `${found[0]}: a path of somebody's machine` : undefined;
  });
