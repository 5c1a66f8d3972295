/** One colour, shape and dash per system, the same in all plots. */

/** Okabe and Ito's, told apart by every kind of colour vision, and grey; yellow is left out, which no eye sees on white. */
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#000000', '#888888'];
const DASHES = [
  [1, 0],
  [6, 3],
  [2, 2],
];
const SHAPES = ['circle', 'square', 'triangle-up', 'diamond', 'cross', 'triangle-down'];

/** These look the same in every report; behind them come all others, by name. */
const KNOWN = [
  'countersign',
  'central',
  'nats-ws',
  'redis-always',
  'central-group',
  'nats-tcp',
  'countersign-unverified',
  'unattested',
];

export interface Palette {
  readonly systems: readonly string[];
  readonly colours: readonly string[];
  readonly shapes: readonly string[];
  /** Tell lines apart where there are more systems than colours. */
  readonly dashes: readonly (readonly number[])[];
}

export function paletteOf(names: readonly string[]): Palette {
  const others = [...new Set(names)].filter((name) => !KNOWN.includes(name)).sort();
  const systems = [...KNOWN, ...others];
  const all = {
    systems,
    colours: systems.map((_, i) => COLOURS[i % COLOURS.length]!),
    shapes: systems.map((_, i) => SHAPES[i % SHAPES.length]!),
    dashes: systems.map((_, i) => DASHES[Math.floor(i / COLOURS.length) % DASHES.length]!),
  };
  return only(
    all,
    names.map((system) => ({ system })),
  );
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
