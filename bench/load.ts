import type { TemporaryRun } from '../tools/temporary-run.ts';
import { drive, findPeak, percentile } from './load/drive.ts';
import type { Sample } from './load/drive.ts';
import type { Workload } from './load/workloads.ts';
import { openLoadWorld } from './load/world.ts';

/** One kind of load at the concurrency that gave the highest rate, round by round; times in ms, rates per second. */
export interface LoadRow {
  name: string;
  at_once: number;
  requests: number[];
  operations: number[];
  p50: number[];
  p99: number[];
}

/** The floor is the first row. */
export type Load = [LoadRow, ...LoadRow[]];

const SEARCH_MS = 1000;
const ROUND_MS = 1500;

/**
 * Loads the control plane, each kind of load in turn with the bare floor in every round.
 * @throws Error at the first answer that isn't the one expected, or when the database doesn't hold at the end what was answered
 */
export async function measureLoad(options: {
  run: TemporaryRun;
  rounds: number;
  signal: AbortSignal;
  onEnd: (end: () => Promise<void>) => void;
  update: (detail: string) => void;
}): Promise<Load> {
  const { run, rounds, signal, update } = options;
  const world = await openLoadWorld(run, options.onEnd, update);
  const rows: { workload: Workload; row: LoadRow }[] = [];
  for (const workload of world.workloads) {
    update(`${workload.name}: looking for the highest rate`);
    const measure = (atOnce: number): Promise<Sample> => stretch(workload, atOnce, SEARCH_MS);
    const row = {
      name: workload.name,
      at_once: await findPeak(measure),
      requests: [],
      operations: [],
      p50: [],
      p99: [],
    };
    rows.push({ workload, row });
  }
  for (let round = 0; round < rounds; round++) {
    for (const { workload, row } of rows) {
      signal.throwIfAborted();
      update(`round ${round + 1} of ${rounds}: ${workload.name}`);
      addRound(row, await stretch(workload, row.at_once, ROUND_MS));
    }
  }
  update('looking whether all of it is in the database');
  await world.check();
  const [floor, ...others] = rows.map(({ row }) => row);
  if (floor === undefined) throw new Error('nothing was measured');
  return [floor, ...others];
}

async function stretch({ once, settle }: Workload, atOnce: number, ms: number): Promise<Sample> {
  const sample = await drive(once, atOnce, ms);
  await settle?.();
  return sample;
}

function addRound(row: LoadRow, { times, operations, seconds }: Sample): void {
  row.requests.push(times.length / seconds);
  row.operations.push(operations / seconds);
  row.p50.push(percentile(times, 0.5));
  row.p99.push(percentile(times, 0.99));
}
