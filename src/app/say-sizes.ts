// Sizes, times and tables as people read them.

const steps = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

export function sizeText(bytes: number): string {
  let value = bytes;
  let step = 0;
  while (value >= 1024 && step < steps.length - 1) {
    value /= 1024;
    step += 1;
  }
  return `${step === 0 ? String(value) : value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ${steps[step] ?? ''}`;
}

/** Times that a date can hold; a file system may hold others. */
const timeMsMax = 8.64e15;

/** In universal time, and saying so. */
export function timeText(ms: number): string {
  if (Math.abs(ms) > timeMsMax) return ms > 0 ? 'far ahead' : 'long ago';
  return new Date(ms)
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, 'Z');
}

/** Columns as wide as their widest cell; the last one is not padded. */
export function tableText(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows)
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
  return rows.map((row) =>
    row
      .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}
