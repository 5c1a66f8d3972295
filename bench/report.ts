/** `bench report`: runs in, one page out; the same runs give the same bytes. */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type Cell, cellsOf } from './cells.js';
import { pngOf, type Spec, svgOf } from './report/draw.js';
import * as headline from './report/headline-plots.js';
import * as line from './report/line-plots.js';
import { type Figure, pageOf } from './report/page.js';
import { type Palette, paletteOf } from './report/palette.js';
import { headlines } from './report/select.js';
import { counts, type Outcome, readRuns } from './runs.js';

const HELP = `bench report FOLDER… [options]

  FOLDER                  run.json files below it, as run and sweep leave them
  --out FILE              the page; default report.html
  --png FILE              the main plot, of the first workload, as a picture
`;

export async function main(args: string[]): Promise<void> {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      out: { type: 'string', default: 'report.html' },
      png: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) return void process.stdout.write(HELP);
  if (positionals.length === 0) throw new TypeError('FOLDER: expected one at least');
  const report = await reportOf(readRuns(positionals));
  writeFileSync(values.out, report.html);
  console.log(`wrote ${values.out}`);
  if (values.png === undefined) return;
  if (report.main === null) throw new TypeError('--png: no run counts, so there is no plot');
  writeFileSync(values.png, pngOf(report.main));
  console.log(`wrote ${values.png}`);
}

interface Wanted {
  readonly title: string;
  readonly spec: Spec | null;
  readonly command: string;
}

/** `main`: the first plot, where there is any. */
export async function reportOf(outcomes: readonly Outcome[]): Promise<{ html: string; main: string | null }> {
  const cells = cellsOf(outcomes);
  const palette = paletteOf(cells.map(({ system }) => system));
  const wanted = [...ofHeadlines(headlines(cells), palette), ...overKnobs(outcomes, palette)];
  const figures: Figure[] = [];
  for (const { title, spec, command } of wanted)
    figures.push({ title, command, svg: spec && (await svgOf(spec)) });
  return { html: pageOf(outcomes, cells, figures), main: figures[0]?.svg ?? null };
}

const RUN = 'npm run -s bench -- run throughput --system countersign,central,redis-always --repeat 5';

function ofHeadlines(groups: readonly (readonly Cell[])[], palette: Palette): Wanted[] {
  if (groups.length === 0) return [{ title: 'Systems beside each other', spec: null, command: RUN }];
  return groups.flatMap((cells) => {
    const { workload } = cells[0]!;
    const stages = headline.stages(cells, palette);
    return [
      { title: `Workload ${workload}`, spec: headline.systems(cells, palette), command: RUN },
      { title: `Workload ${workload}: latency`, spec: headline.percentiles(cells, palette), command: RUN },
      {
        title: `Workload ${workload}: second by second`,
        spec: headline.intervals(cells, palette),
        command: RUN,
      },
      { title: `Workload ${workload}: stages`, spec: stages, command: `npm run -s bench -- run ${workload}` },
    ];
  });
}

/** The sweeps that come with the bench give the data for each. */
function overKnobs(outcomes: readonly Outcome[], palette: Palette): Wanted[] {
  const sized = { runs: outcomes.filter(counts), palette };
  const sweep = (name: string) => `npm run -s bench -- sweep ${name}`;
  return [
    { title: 'Shards', spec: line.overShards(sized), command: sweep('shards') },
    { title: 'Rate', spec: line.latencyOverRate(sized), command: sweep('rate') },
    { title: 'Mailboxes', spec: line.costOverMailboxes(sized), command: sweep('mailboxes') },
    { title: 'Recipients', spec: line.costOverRecipients(sized), command: sweep('recipients') },
  ];
}
