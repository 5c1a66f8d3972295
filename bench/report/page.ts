/** One HTML page that needs nothing else: tables, plots and the data of the tables, inline. Pure. */
import { type Cell, countedOf, csvRowsOf, FIGURES, warningOf } from '../cells.js';
import type { Environment, RunResult } from '../result.js';
import { counts, isRun, type Outcome } from '../runs.js';
import { csvOf, number, spreadText } from '../text.js';
import { headlines } from './select.js';

export interface Figure {
  readonly title: string;
  /** Null where no run gives data for it; then `command` would. */
  readonly svg: string | null;
  readonly command: string;
}

const STYLE = `
body { font: 15px/1.5 "DejaVu Sans", Verdana, sans-serif; color: #222; margin: 2em auto; max-width: 1280px; padding: 0 1em; }
h1 { font-size: 1.6em; } h2 { font-size: 1.25em; margin-top: 2em; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 12px; white-space: nowrap; }
th, td { padding: 4px 10px; border-bottom: 1px solid #ddd; text-align: left; vertical-align: top; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
tr.missing td { background: #fdecea; } .warning { color: #b00020; font-weight: bold; white-space: normal; }
small { color: #777; font-size: 10px; }
figure { margin: 1.5em 0; } svg { max-width: 100%; height: auto; }
code { background: #f3f3f3; padding: 2px 5px; }
`;

const escaped = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

export function pageOf(
  outcomes: readonly Outcome[],
  cells: readonly Cell[],
  figures: readonly Figure[],
): string {
  const runs = outcomes.filter(isRun);
  const csv = Buffer.from(csvOf(csvRowsOf(cells))).toString('base64');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Countersign bench</title>
<style>${STYLE}</style>
</head>
<body>
<h1>Countersign bench</h1>
${introduction(outcomes)}
<h2>Environment</h2>
<div class="wide">${environmentTable(runs.map(({ environment }) => environment))}</div>
<h2>Results</h2>
<p>Median of the runs that count, and from the lowest to the highest. Times are from the intended time of sending to the
delivery. <a download="results.csv" href="data:text/csv;base64,${csv}">The same as CSV.</a></p>
<div class="wide">${resultsTable(cells)}</div>
<h2>What was promised</h2>
<div class="wide">${promisesTable(runs)}</div>
${figures.map(figureOf).join('\n')}
</body>
</html>
`;
}

function introduction(outcomes: readonly Outcome[]): string {
  const runs = outcomes.filter(isRun);
  const voided = runs.length - runs.filter(counts).length;
  const missing = outcomes.length - runs.length;
  const days = [...new Set(runs.map(({ startedAt }) => startedAt.slice(0, 10)))].sort();
  const span = days.length > 1 ? `${days[0]} to ${days.at(-1)}` : days[0];
  const warnings = [
    ...(voided > 0 ? [`VOID runs: ${voided}. Their numbers count nowhere on this page.`] : []),
    ...(missing > 0 ? [`NOT AVAILABLE systems: ${missing}.`] : []),
  ];
  const texts = warnings.map((text) => `<p class="warning">${text}</p>`);
  return `<p>${runs.length} runs of ${new Set(runs.map(({ system }) => system)).size} systems, ${span}.</p>${texts.join('')}`;
}

const FACTS: Readonly<Record<keyof Omit<Environment, 'fdatasyncMs' | 'load' | 'systemVersion'>, string>> = {
  cpu: 'CPU',
  cores: 'cores',
  kernel: 'kernel',
  memoryMiB: 'memory, MiB',
  disk: 'disk',
  node: 'Node',
  commit: 'commit',
  lockfile: 'package-lock.json, SHA-256',
};

function environmentTable(environments: readonly Environment[]): string {
  const rows = Object.entries(FACTS).map(([name, title]) => {
    const values = [...new Set(environments.map((one) => String(one[name as keyof typeof FACTS])))];
    const several = values.length > 1 ? ' <span class="warning">differs between runs</span>' : '';
    return `<tr><th>${title}</th><td>${values.map(escaped).join('<br>')}${several}</td></tr>`;
  });
  const range = (of: (one: Environment) => number) => {
    const values = environments.map(of);
    return `${number(Math.min(...values))} … ${number(Math.max(...values))}`;
  };
  rows.push(`<tr><th>4 KiB write with fdatasync, ms</th><td>${range((one) => one.fdatasyncMs)}</td></tr>`);
  rows.push(`<tr><th>load average at the start</th><td>${range((one) => one.load)}</td></tr>`);
  return `<table>${rows.join('\n')}</table>`;
}

function resultsTable(cells: readonly Cell[]): string {
  const header = ['workload', 'setting', 'system', 'runs', ...FIGURES.map(({ title }) => title)];
  const head = header.map((text, i) => `<th${i > 2 ? ' class="number"' : ''}>${escaped(text)}</th>`).join('');
  return `<table><tr>${head}</tr>\n${cells.map((cell) => rowsOfCell(cell, cells)).join('\n')}</table>`;
}

/** What does not count has a row of its own, below the numbers or in their place. */
function rowsOfCell(cell: Cell, cells: readonly Cell[]): string {
  const runs = countedOf(cell);
  const words = [cell.workload, settingOf(cell, cells), cell.system].map(
    (text) => `<td>${escaped(text)}</td>`,
  );
  const numbers = FIGURES.map(({ of }) => `<td class="number">${spreadHtml(runs.map(of))}</td>`);
  const row = `<tr>${words.join('')}<td class="number">${runs.length}</td>${numbers.join('')}</tr>`;
  const warning = warningOf(cell);
  if (warning === '') return row;
  const text = `<td></td><td class="warning" colspan="${FIGURES.length}">${escaped(warning)}</td>`;
  return `${runs.length > 0 ? row : ''}<tr class="missing">${words.join('')}${text}</tr>`;
}

function spreadHtml(values: readonly number[]): string {
  const [middle, range] = spreadText(values).split(' (');
  return range ? `${middle}<br><small>${range.slice(0, -1)}</small>` : middle!;
}

/** In what it differs from the configuration that the plots of its workload show. */
function settingOf(cell: Cell, cells: readonly Cell[]): string {
  const plotted = headlines(cells.filter(({ workload }) => workload === cell.workload))[0]?.[0];
  return Object.entries(cell.knobs)
    .filter(([name, value]) => plotted && value !== '' && value !== plotted.knobs[name])
    .map(([name, value]) => `${name.split('.').at(-1)} ${value}`)
    .join(', ');
}

/** Numbers of unequal promises are not equal: what each system's acknowledgments and clients stood for. */
function promisesTable(runs: readonly RunResult[]): string {
  const rows = runs.map(({ system, environment, promises }) => {
    const order = promises.totalOrder ? 'one order of all messages, audited' : 'NO total order';
    const texts = [system, environment.systemVersion, promises.durable, promises.verified, order];
    return `<tr>${texts.map((text) => `<td>${escaped(text)}</td>`).join('')}</tr>`;
  });
  const header = ['system', 'version', 'durable', 'verified by clients', 'order'];
  const head = header.map((text) => `<th>${text}</th>`).join('');
  return `<table><tr>${head}</tr>\n${[...new Set(rows)].join('\n')}</table>`;
}

function figureOf({ title, svg, command }: Figure): string {
  const body = svg ?? `<p>No data here. <code>${escaped(command)}</code> gives it.</p>`;
  return `<h2>${escaped(title)}</h2>\n<figure>${body}</figure>`;
}
