import type { TemporaryRun } from '../tools/temporary-run.ts';
import { drive, findPeak, percentile, ratePerSecond } from './load/drive.ts';
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

export interface Load {
  floor: LoadRow;
  /** Each beside the requests per second of the floor, which was loaded right before it. */
  rows: (LoadRow & { floor: number[] })[];
}

const SEARCH_MS = 1200;
const ROUND_MS = 1500;
const FLOOR_MS = 1000;

/**
 * Loads the control plane, each kind of load in turn with the bare floor.
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
  const search = async (workload: Workload): Promise<LoadRow> => {
    update(`${workload.name}: looking for the highest rate`);
    const atOnce = await findPeak((count) => stretch(workload, count, SEARCH_MS));
    return { name: workload.name, at_once: atOnce, requests: [], operations: [], p50: [], p99: [] };
  };
  const floor = await search(world.floor);
  const loads: { workload: Workload; row: Load['rows'][number] }[] = [];
  for (const workload of world.workloads) loads.push({ workload, row: { ...(await search(workload)), floor: [] } });
  for (let round = 0; round < rounds; round++) {
    for (const { workload, row } of loads) {
      signal.throwIfAborted();
      update(`round ${round + 1} of ${rounds}: ${workload.name}`);
      row.floor.push(addRound(floor, await stretch(world.floor, floor.at_once, FLOOR_MS)));
      addRound(row, await stretch(workload, row.at_once, ROUND_MS));
    }
  }
  update('looking whether all of it is in the database');
  await world.check();
  return { floor, rows: loads.map(({ row }) => row) };
}

async function stretch({ once, settle }: Workload, atOnce: number, ms: number): Promise<Sample> {
  const sample = await drive(once, atOnce, ms);
  await settle?.();
  return sample;
}

/** Answers the requests per second. */
function addRound(row: LoadRow, sample: Sample): number {
  const rate = ratePerSecond(sample);
  row.requests.push(rate);
  row.operations.push(sample.operations / sample.seconds);
  row.p50.push(percentile(sample.times, 0.5));
  row.p99.push(percentile(sample.times, 0.99));
  return rate;
}
