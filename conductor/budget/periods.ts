/** Days and months are those of UTC: as providers count theirs, and without hours that are there twice or not at all. */
export type Period = 'day' | 'month';

/** The first millisecond of the period that `at` is in. */
export function startOf(period: Period, at: number): number {
  const date = new Date(at);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), period === 'day' ? date.getUTCDate() : 1);
}

/** The first millisecond after it. */
export function endOf(period: Period, at: number): number {
  const date = new Date(at);
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
  return period === 'day' ? Date.UTC(year, month, date.getUTCDate() + 1) : Date.UTC(year, month + 1, 1);
}
