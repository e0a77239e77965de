import { SpoqError } from '../../contract/errors.ts';
import { openBootToken } from '../commands/open-boot-token.ts';
import { deleteBootToken } from '../db/boot-tokens.ts';
import { isOperating } from '../db/box-operations.ts';
import { listProviders } from '../db/moves.ts';
import { lockFence, takeFence, toBoxColumns, toStackName, updateBox } from '../db/user-vps.ts';
import type { BoxOutputs, BoxSpec, EngineEvent, Preview, VendorMachine } from '../engine/engine.ts';
import { QUEUES, sendBoxJob } from '../jobs/queues.ts';
import { ownMachine, releaseMachines } from '../jobs/machine-records.ts';
import type { WorkerDeps } from '../jobs/worker-deps.ts';
import { findBoxOf } from './find-box.ts';

export interface CommandOptions {
  signal: AbortSignal;
  onEvent: (event: EngineEvent) => void;
}

/** The specification that a preview and an up of this box begin with. Holds secrets. */
export async function loadBoxSpec(deps: WorkerDeps, who: string): Promise<BoxSpec> {
  return deps.buildSpec(await findBoxOf(deps.db, who));
}

export async function previewBox(
  deps: WorkerDeps,
  who: string,
  options: CommandOptions & { destroy: boolean },
): Promise<Preview> {
  const box = await findBoxOf(deps.db, who);
  if (!options.destroy) return deps.engine.preview(deps.buildSpec(box), { signal: options.signal });
  return deps.engine.previewDestroy(toStackName(box.id), { signal: options.signal });
}

/** Brings a box to what its row and the configuration say. A box that a worker is making is left to it. */
export async function upBox(deps: WorkerDeps, who: string, options: CommandOptions): Promise<BoxOutputs> {
  const found = await findBoxOf(deps.db, who);
  if (isOperating(found))
    throw new SpoqError('stack_busy', {
      detail: `A ${found.operation ?? 'change'} of the box of ${found.username} is going on: a worker has it.`,
    });
  const box = await takeFence(deps.db, found.id, ['ready', 'failed'], found.status);
  if (box === undefined)
    throw new SpoqError('stack_busy', {
      detail: `The box of ${found.username} is ${found.status}: a worker has it, or nobody may.`,
    });
  const hadFailed = box.status === 'failed';
  if (hadFailed) await deps.boss.start();
  // A box that had failed has no machine: what is made now boots for the first time.
  const bootToken = hadFailed ? await openBootToken(deps, box) : undefined;
  const spec = deps.buildSpec(box, { bootToken });
  const outputs = await deps.engine.up(spec, options);
  const { version } = spec.releases;
  await deps.db.transaction(async (tx) => {
    if (!(await lockFence(tx, box.id, box.fence)))
      throw new SpoqError('stack_busy', { detail: 'A worker has taken this box over; its record is left to that.' });
    const now = deps.now();
    await updateBox(tx, box.id, {
      ...toBoxColumns(outputs),
      ...(version === undefined ? {} : { release_version: version, released_at: now }),
      status: 'ready',
      ready_at: box.ready_at ?? now,
      failure: null,
      // What had failed is made up for: the box is as it should be.
      operation: null,
      operation_failure: null,
    });
    await ownMachine(tx, box, outputs, now);
    await deleteBootToken(tx, box.id);
    // Its owner's subscription was paused when it failed.
    if (hadFailed) await sendBoxJob(deps.boss, tx, QUEUES.bill, box);
  });
  return outputs;
}

/** DNS away, disk wiped, renewal ended, row terminated. */
export async function destroyBox(deps: WorkerDeps, who: string, options: CommandOptions): Promise<VendorMachine[]> {
  const found = await findBoxOf(deps.db, who);
  const box = await takeFence(deps.db, found.id, [found.status], found.status);
  if (box === undefined) throw new SpoqError('stack_busy', { detail: 'The box has just become something else.' });
  const given = await deps.engine.destroy(toStackName(box.id), listProviders(box), { ...options, takeOver: true });
  await deps.db.transaction(async (tx) => {
    if (!(await lockFence(tx, box.id, box.fence)))
      throw new SpoqError('stack_busy', { detail: 'A worker has taken this box over; its record is left to that.' });
    const now = deps.now();
    await updateBox(tx, box.id, { status: 'terminated', terminated_at: box.terminated_at ?? now });
    await releaseMachines(tx, box, given, now);
  });
  return given;
}

/** Reads what is really there into the stack's state. */
export async function refreshBox(deps: WorkerDeps, who: string, options: CommandOptions): Promise<void> {
  const box = await findBoxOf(deps.db, who);
  await deps.engine.refresh(toStackName(box.id), options);
}

export async function readOutputs(deps: WorkerDeps, who: string): Promise<BoxOutputs> {
  const box = await findBoxOf(deps.db, who);
  const outputs = await deps.engine.outputs(toStackName(box.id));
  if (outputs === undefined)
    throw new SpoqError('stack_missing', { detail: `The box of ${box.username} has not been made.` });
  return outputs;
}
