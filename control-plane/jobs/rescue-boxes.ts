import type { JobWithMetadata } from 'pg-boss';
import { beginOperation } from '../commands/begin-operation.ts';
import { listBoxesInOperation } from '../db/box-operations.ts';
import { listBoxesLeftInMove } from '../db/moves.ts';
import { listBoxesBeingMade } from '../db/user-vps.ts';
import type { Deps } from '../deps.ts';
import { QUEUES, sendBoxJob, type BoxJob } from './queues.ts';

/**
 * Gives a job to every box that is being made or changed and has none: after a vendor's outage that outlasted every attempt, the last
 * resort's too. Otherwise its person would wait for ever, and a machine of it would be paid for as long.
 */
export async function rescueBoxes(deps: Pick<Deps, 'db' | 'boss' | 'log' | 'now'>): Promise<void> {
  for (const box of await listBoxesBeingMade(deps.db)) {
    if (await hasJob(deps, box.id, [QUEUES.provision, QUEUES.provisionDead])) continue;
    deps.log.error({ box_id: box.id, status: box.status }, 'a box that no job works on is taken up again');
    await deps.db.transaction((tx) => sendBoxJob(deps.boss, tx, QUEUES.provision, box));
  }
  for (const box of await listBoxesInOperation(deps.db)) {
    if (await hasJob(deps, box.id, [QUEUES.operate, QUEUES.operateDead])) continue;
    deps.log.error({ box_id: box.id, operation: box.operation }, 'a box that no job works on is taken up again');
    await deps.db.transaction((tx) => sendBoxJob(deps.boss, tx, QUEUES.operate, box));
  }
  for (const box of await listBoxesLeftInMove(deps.db)) {
    deps.log.error({ box_id: box.id, stage: box.move?.stage }, 'a move that has not ended is taken up again');
    await beginOperation(deps, box, { operation: 'move', actor: 'system', ip: null });
  }
}

/** Whether a job of one of `queues` waits for this box or works on it. */
export async function hasJob({ boss }: Pick<Deps, 'boss'>, boxId: string, queues: string[]): Promise<boolean> {
  const data: BoxJob = { user_vps_id: boxId };
  const isOpen = ({ state }: Pick<JobWithMetadata, 'state'>) => ['created', 'retry', 'active'].includes(state);
  for (const queue of queues) if ((await boss.findJobs(queue, { data })).some(isOpen)) return true;
  return false;
}
