/**
 * Plots drawn without a browser, to the same bytes each time. One font, which comes with the bench: what else a machine has
 * decides neither how wide a text is taken to be nor how the PNG looks.
 */
import { createRequire } from 'node:module';
import { Resvg } from '@resvg/resvg-js';
import * as vega from 'vega';
import { type Config, compile, type TopLevelSpec } from 'vega-lite';

const require = createRequire(import.meta.url);
const font = (name: string) => require.resolve(`dejavu-fonts-ttf/ttf/${name}.ttf`);
const FONT = 'DejaVu Sans';
const FONT_FILES = [font('DejaVuSans'), font('DejaVuSans-Bold')];

const CONFIG: Config = {
  background: 'white',
  // Where a page is looked at without it, Verdana is as wide.
  font: `${FONT}, Verdana, sans-serif`,
  padding: 12,
  view: { stroke: null },
  axis: {
    labelFontSize: 12,
    titleFontSize: 12,
    titleFontWeight: 'normal',
    titlePadding: 8,
    gridColor: '#e6e6e6',
    domainColor: '#888888',
    tickColor: '#888888',
    labelLimit: 400,
    labelFlush: false,
    labelOverlap: 'greedy',
  },
  legend: {
    orient: 'top',
    labelFontSize: 12,
    titleFontSize: 12,
    titleFontWeight: 'normal',
    symbolStrokeWidth: 2,
    labelLimit: 400,
    columns: 5,
  },
  title: {
    anchor: 'start',
    frame: 'group',
    fontSize: 15,
    subtitleFontSize: 12,
    subtitleColor: '#555555',
    offset: 12,
  },
};

let letters: ReadonlyMap<string, number> | null = null;

/** Of one pixel of font size, per letter: as the font itself says, by what the painter makes of 100 of them. */
function widthsOfLetters(): ReadonlyMap<string, number> {
  const all = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i));
  return new Map(all.map((letter) => [letter, widthOfLetter(letter)]));
}

/** Between two bars, so that blanks have a width, too. */
function widthOfLetter(letter: string): number {
  const drawn = (text: string) => {
    const escaped = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="9000" height="200"><text y="100" xml:space="preserve" font-family="${FONT}" font-size="100">${escaped}</text></svg>`;
    return new Resvg(svg, FONTS).getBBox()!.width;
  };
  return (drawn(`|${letter.repeat(10)}|`) - drawn('||')) / 1000;
}

const FONTS = { font: { fontFiles: FONT_FILES, loadSystemFonts: false, defaultFontFamily: FONT } };

/** Vega without a canvas takes every letter to be 0.8 of the font's size, and leaves holes where the text is narrower. */
function widthOf(item: { fontSize?: number; text?: unknown }, text?: unknown): number {
  letters ??= widthsOfLetters();
  let sum = 0;
  for (const letter of String(text ?? item.text ?? '')) sum += letters.get(letter) ?? 0.7;
  return Math.ceil(sum * (item.fontSize ?? 11));
}

interface TextMetrics {
  width: typeof widthOf;
}

/** As vega-lite has it, without its types: what it does not understand it says when it draws, and that is an error here. */
export type Spec = Readonly<Record<string, unknown>>;

type Logger = NonNullable<NonNullable<Parameters<typeof compile>[1]>['logger']>;

function refuse(...what: unknown[]): never {
  throw new Error(`a plot that vega-lite complains about: ${what.join(' ')}`);
}

const STRICT = { level: () => STRICT, error: refuse, warn: refuse, info: () => STRICT, debug: () => STRICT };

/** Throws on whatever vega-lite would only warn of. */
export async function svgOf(spec: Spec): Promise<string> {
  (vega as unknown as { textMetrics: TextMetrics }).textMetrics.width = widthOf;
  const options = { logger: STRICT as unknown as Logger };
  const compiled = compile({ ...spec, config: CONFIG } as unknown as TopLevelSpec, options).spec;
  const view = new vega.View(vega.parse(compiled), { renderer: 'none', logLevel: vega.Error });
  const svg = await view.toSVG();
  view.finalize();
  return svg;
}

/** Twice as fine as the SVG: readable on screens that have many dots. */
export function pngOf(svg: string): Uint8Array {
  const painter = new Resvg(svg, { ...FONTS, fitTo: { mode: 'zoom', value: 2 } });
  return painter.render().asPng();
}
