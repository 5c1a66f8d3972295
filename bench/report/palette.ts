/** One colour, shape and dash per system, the same in all plots. */

/** Okabe and Ito's, told apart by every kind of colour vision; yellow is left out, which no eye sees on white. */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#000000'];
const DASHES = [
  [1, 0],
  [6, 3],
  [2, 2],
];
const SHAPES = ['circle', 'square', 'triangle-up', 'diamond', 'cross', 'triangle-down'];

/** What comes first gets the colours that differ most. */
const KNOWN = ['countersign', 'central', 'nats-ws', 'redis-always', 'central-group', 'nats-tcp'];

export interface Palette {
  readonly systems: readonly string[];
  readonly colours: readonly string[];
  readonly shapes: readonly string[];
  /** Tell lines apart where there are more systems than colours. */
  readonly dashes: readonly (readonly number[])[];
}

export function paletteOf(names: readonly string[]): Palette {
  const rank = (name: string) => (KNOWN.includes(name) ? KNOWN.indexOf(name) : KNOWN.length);
  const systems = [...new Set(names)].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
  return {
    systems,
    colours: systems.map((_, i) => COLOURS[i % COLOURS.length]!),
    shapes: systems.map((_, i) => SHAPES[i % SHAPES.length]!),
    dashes: systems.map((_, i) => DASHES[Math.floor(i / COLOURS.length) % DASHES.length]!),
  };
}

/** Only of the systems that are in the data: a legend must not name lines that are not there. */
export function only(palette: Palette, rows: readonly { readonly system: string }[]): Palette {
  const present = palette.systems.map((system) => rows.some((row) => row.system === system));
  const pick = <T>(values: readonly T[]) => values.filter((_, i) => present[i]);
  return {
    systems: pick(palette.systems),
    colours: pick(palette.colours),
    shapes: pick(palette.shapes),
    dashes: pick(palette.dashes),
  };
}
