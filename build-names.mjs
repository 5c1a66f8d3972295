// Short names for build-browser.mjs. Which name stands where decides how many repeats gzip finds, by one part in a
// hundred, and no rule says beforehand which do best: they are found by trial, always the same for the same code.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

// Until they are chosen, names are single characters that stand nowhere in the code: Chinese ones for properties,
// Korean ones for variables.
const UNNAMED = /([\u4e00-\u9fff\uac00-\ud7ff])/;
const isProperty = (unnamed) => unnamed < '\uac00';

export const property = (i) => String.fromCodePoint(0x4e00 + i);
/** For terser, which gives the same one to variables that may have one name. */
export const variables = {
  get: (n) => String.fromCodePoint(0xac00 + n),
  reset() {},
  consider() {},
  sort() {},
};

const FIRST = 'etsinroahlcdupmfgbvkwyjxqzETSINROAHLCDUPMFGBVKWYJXQZ_$';
const ALL = [...FIRST, ...[...FIRST].flatMap((a) => [...FIRST, ...'0123456789'].map((b) => a + b))];
const KEYWORDS = ['do', 'if', 'in'];

/** Two seconds' worth, which find half of what ten times as many would. Level 6 is no worse a guide, and faster. */
const TRIALS = 1000;
const LEVEL = 6;
/** The last names found, and of which code. */
const FOUND = 'dist/names.json';

/** A file in pieces: of its code, and between them what has no name yet. */
class Pieces {
  constructor(text) {
    this.all = text.split(UNNAMED);
    // `{ a: a }` is `{ a }`: of every property, the variable with which it may be one.
    this.pairs = this.all.map((each, i) => {
      const [before, after, behind] = [this.all[i - 1], this.all[i + 1], this.all[i + 3]];
      const isPair = i % 2 === 1 && isProperty(each) && /[{,]$/.test(before) && after === ':';
      return isPair && /^[},]/.test(behind) ? this.all[i + 2] : undefined;
    });
  }

  named(names) {
    let text = '';
    for (let i = 0; i < this.all.length; i++) {
      if (i % 2 === 0) text += this.all[i];
      else if (this.pairs[i] && names[this.pairs[i]] === names[this.all[i]]) i++;
      else text += names[this.all[i]];
    }
    return text;
  }
}

/** Properties or variables, those that are used most first, with the names that they may have. */
function kindOf(files, isMember, isTaken) {
  const uses = new Map();
  for (const { all } of files)
    for (const each of all.filter((_, i) => i % 2 === 1).filter(isMember))
      uses.set(each, (uses.get(each) ?? 0) + 1);
  const members = [...uses.keys()].sort((a, b) => uses.get(b) - uses.get(a));
  // A hundred that nobody has at first.
  const names = ALL.filter((name) => !isTaken(name)).slice(0, members.length + 100);
  return { members, names };
}

/** Even in [0, n), the same in each build. */
function dice(seed) {
  return (n) => {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
    return Math.floor((seed / 0x80000000) * n);
  };
}

/** Lets two change their names, again and again, and stays with what is not larger. */
function search(files, kinds) {
  const names = {};
  for (const kind of kinds)
    kind.members.forEach((each, i) => {
      names[each] = kind.names[i];
    });
  const size = () =>
    files.reduce((sum, file) => sum + gzipSync(file.named(names), { level: LEVEL }).length, 0);
  const roll = dice(1);
  // Those at the front more often.
  const pick = (list) => list[Math.min(...[1, 2, 3].map(() => roll(list.length)))];
  for (let trial = 0, smallest = size(); trial < TRIALS; trial++) {
    const kind = kinds[trial % kinds.length];
    const one = pick(kind.members);
    const [before, after] = [names[one], pick(kind.names)];
    const other = kind.members.find((each) => names[each] === after) ?? one;
    [names[other], names[one]] = [before, after];
    const now = size();
    if (now <= smallest) smallest = now;
    else [names[one], names[other]] = [before, other === one ? before : after];
  }
  return names;
}

/** The same code with names; `foreign` ones are of properties that are not ours. */
export function withNames(texts, foreign) {
  const files = texts.map((text) => new Pieces(text));
  const code = createHash('sha256')
    .update(JSON.stringify([TRIALS, LEVEL, texts]))
    .digest('hex');
  const found = existsSync(FOUND) ? JSON.parse(readFileSync(FOUND, 'utf8')) : {};
  if (found.code !== code) {
    const words = new Set(texts.join(' ').match(/[A-Za-z_$][\w$]*/g));
    const isVariable = (unnamed) => !isProperty(unnamed);
    found.names = search(files, [
      kindOf(files, isProperty, (name) => foreign.has(name) || words.has(name)),
      kindOf(files, isVariable, (name) => KEYWORDS.includes(name) || words.has(name)),
    ]);
    writeFileSync(FOUND, JSON.stringify({ ...found, code }));
  }
  return files.map((file) => file.named(found.names));
}
