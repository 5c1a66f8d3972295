/** What the plots have in common: colours, ranges, axes. */
import type { Spec } from './draw.js';
import type { Palette } from './palette.js';

export const WIDTH = 640;
export const HEIGHT = 300;

/** The legend is left out where the axis names the systems. */
export function colour({ systems, colours }: Palette, legend: boolean): Spec {
  const channel = {
    field: 'system',
    type: 'nominal',
    title: null,
    scale: { domain: systems, range: colours },
  };
  return legend ? channel : { ...channel, legend: null };
}

export const shape = ({ systems, shapes }: Palette): Spec => ({
  field: 'system',
  type: 'nominal',
  title: null,
  scale: { domain: systems, range: shapes },
});

export const dash = ({ systems, dashes }: Palette): Spec => ({
  field: 'system',
  type: 'nominal',
  title: null,
  scale: { domain: systems, range: dashes },
});

export interface Scale {
  readonly title: string;
  /** The values to be shown on a logarithmic axis. */
  readonly log?: readonly number[];
  /** Ticks at these values only. */
  readonly ticks?: readonly number[];
  /** Where there is little room: 20k. */
  readonly short?: true;
}

/** Numbers along an axis. A linear one begins at 0, so that lengths are comparable. */
export function quantity(field: string, { title, log, ticks, short }: Scale): Spec {
  const axis = { format: short ? '~s' : ',.6~f' };
  if (!log) {
    const scale = { zero: true, nice: true };
    return { field, type: 'quantitative', title, scale, axis: { ...axis, tickCount: 6 } };
  }
  const values = ticks ?? roundValues(log);
  const ends = ticks ? log : values;
  const scale = { type: 'log', domain: [Math.min(...ends), Math.max(...ends)] };
  return { field, type: 'quantitative', title, scale, axis: { ...axis, values } };
}

/** 1, 2, 5, 10 … from just below the least to just above the most; beyond three decades the tens alone. */
function roundValues(data: readonly number[]): number[] {
  const [least, most] = [Math.min(...data), Math.max(...data)];
  const digits = most / least > 1000 ? [1] : [1, 2, 5];
  const decades = Array.from({ length: 20 }, (_, i) => i - 9);
  const all = decades.flatMap((decade) => digits.map((digit) => Number(`${digit}e${decade}`)));
  const first = all.findLastIndex((value) => value <= least);
  return all.slice(first, all.findIndex((value) => value >= most && value > all[first]!) + 1);
}

/** Lines of `subtitle` stand below each other. */
export const heading = (text: string, ...subtitle: string[]): Spec => ({ text, subtitle });
