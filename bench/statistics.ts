/** Middle and range of a row of measurements. */
export interface Summary {
  median: number;
  min: number;
  max: number;
  count: number;
}

/** @throws if there is nothing to sum up */
export function summarize(values: readonly number[]): Summary {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted[Math.floor(sorted.length / 2)];
  const [min] = sorted;
  const max = sorted.at(-1);
  if (middle === undefined || min === undefined || max === undefined) throw new Error('nothing was measured');
  const below = sorted[Math.floor((sorted.length - 1) / 2)] ?? middle;
  return { median: (middle + below) / 2, min, max, count: sorted.length };
}

/**
 * The ratio of two rows that were measured in turn: round by round, so that what slowed down a round slowed down both.
 */
export function summarizeRatio(values: readonly number[], base: readonly number[]): Summary {
  return summarize(values.map((value, round) => value / (base[round] ?? Number.NaN)));
}

/** `39 (30..55)`, with as many digits as make sense. */
export function formatSummary({ median, min, max }: Summary, digits = 0): string {
  return `${median.toFixed(digits)} (${min.toFixed(digits)}..${max.toFixed(digits)})`;
}
