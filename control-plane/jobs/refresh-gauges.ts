import { VPS_STATUSES } from '../../contract/vps.ts';
import type { Deps } from '../deps.ts';
import { countMachines } from '../db/machines.ts';
import { countBoxesByStatus } from '../db/user-vps.ts';

/** Counts boxes and machines for a scrape. Every worker tells the same numbers: take the maximum, not the sum. */
export async function refreshGauges(deps: Pick<Deps, 'db' | 'metrics'>): Promise<void> {
  const boxes = new Map((await countBoxesByStatus(deps.db)).map((row) => [row.status, Number(row.count)]));
  for (const status of VPS_STATUSES) deps.metrics.boxes.set({ status }, boxes.get(status) ?? 0);
  deps.metrics.machines.reset();
  for (const { provider, status, count } of await countMachines(deps.db))
    deps.metrics.machines.set({ provider, status }, Number(count));
}
