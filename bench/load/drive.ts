/** What one stretch of load was like. */
export interface Sample {
  operations: number;
  /** Milliseconds of each request. */
  times: number[];
  seconds: number;
}

/** One whole operation of a load; it adds the milliseconds of each of its requests to `times`, and throws what went wrong. */
export type Operation = (times: number[]) => Promise<void>;

/** What is tried for the highest rate. */
export const CONCURRENCIES = [4, 8, 16, 32, 64] as const;
/** More at once for less than this much more only lets everybody wait longer. */
const NEARLY = 0.95;
/** Far beyond the best rate nothing more is to be learnt. */
const GIVEN_UP = 0.85;

/** Does `once` over and over in `atOnce` loops for `ms`, and lets what has begun end. The first error ends all loops, and is thrown. */
export async function drive(once: Operation, atOnce: number, ms: number): Promise<Sample> {
  const times: number[] = [];
  let operations = 0;
  let hasFailed = false;
  const began = performance.now();
  const loop = async (): Promise<void> => {
    while (!hasFailed && performance.now() - began < ms) {
      try {
        await once(times);
      } catch (error) {
        hasFailed = true;
        throw error;
      }
      operations += 1;
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: atOnce }, loop));
  const failed = ends.find((end) => end.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return { operations, times, seconds: (performance.now() - began) / 1000 };
}

/** Doubles the concurrency as long as that can still help; answers the lowest whose rate is nearly the highest. */
export async function findPeak(measure: (atOnce: number) => Promise<Sample>): Promise<number> {
  const tried: { atOnce: number; rate: number }[] = [];
  let best = 0;
  for (const atOnce of CONCURRENCIES) {
    const rate = ratePerSecond(await measure(atOnce));
    tried.push({ atOnce, rate });
    best = Math.max(best, rate);
    if (rate < best * GIVEN_UP) break;
  }
  return tried.find(({ rate }) => rate >= best * NEARLY)?.atOnce ?? CONCURRENCIES[0];
}

/** Requests per second. */
export function ratePerSecond({ times, seconds }: Sample): number {
  return times.length / seconds;
}

/** The time that `share` of all requests took at most, in ms (nearest rank). @throws Error if there were none */
export function percentile(times: readonly number[], share: number): number {
  const found = times.toSorted((a, b) => a - b)[Math.max(0, Math.ceil(times.length * share) - 1)];
  if (found === undefined) throw new Error('nothing was measured');
  return found;
}
