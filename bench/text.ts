/** Numbers and tables as the bench's commands print them. */
import { finite, spreadOf } from './statistics.js';

const grouped = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** Three significant digits, and never fewer than a whole number has. */
export function number(value: number): string {
  if (Math.abs(value) >= 100) return grouped.format(value);
  return value === 0 ? '0' : value.toPrecision(3);
}

/** Median, and the whole range where there is one: '100,000 (97,000 … 103,000)'. */
export function spreadText(all: readonly number[]): string {
  const values = finite(all);
  if (values.length === 0) return 'none';
  const { median, min, max } = spreadOf(values);
  return values.length === 1 ? number(median) : `${number(median)} (${number(min)} … ${number(max)})`;
}

/** Columns of equal width; numbers to the right, by how they begin. */
export function tableOf(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const right = rows[0]!.map((_, column) =>
    rows.slice(1).every((row) => /^([\d.,]|$|n\/a|none)/.test(row[column]!)),
  );
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          right[column] ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

export function csvOf(rows: readonly (readonly (string | number)[])[]): string {
  const cell = (value: string | number) =>
    /[",\n]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : String(value);
  return rows.map((row) => `${row.map(cell).join(',')}\n`).join('');
}
