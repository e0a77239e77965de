import type { BoxOutputs } from '../engine/engine.ts';
import { SpoqError } from '../../contract/errors.ts';
import type { StepName } from '../../contract/vps.ts';
import { openBootToken } from '../commands/open-boot-token.ts';
import { deleteBootToken } from '../db/boot-tokens.ts';
import { appendVpsEvent, notifyBox } from '../db/vps-events.ts';
import { takeFence, toBoxColumns, toStackName, type UserVpsRow } from '../db/user-vps.ts';
import { intendMachine, ownMachine, releaseMachines } from './machine-records.ts';
import { QUEUES, sendBoxJob } from './queues.ts';
import { createProgress, holdLease, writeBox, type Progress } from './progress.ts';
import { watchBoot } from './watch-boot.ts';
import type { Attempt, WorkerDeps } from './worker-deps.ts';

/** What a customer reads when we have given up without knowing why. The cause is in the log. */
export const GAVE_UP = 'Something broke on our side, and trying again did not help. We have been told.';

/**
 * Makes a box, or goes on making it where an earlier run stopped. It ends `ready`, or `failed` with a reason and nothing left
 * at the vendor; the job settles in the transaction that says so. What is thrown hands the job to another attempt.
 */
export async function runProvisionJob(deps: WorkerDeps, attempt: Attempt): Promise<void> {
  const box = await takeFence(deps.db, attempt.boxId, ['pending', 'provisioning'], 'provisioning');
  if (box === undefined) return;
  const run = beginRun(deps, box, attempt);
  // An earlier run had decided to take it down, and was stopped while it did.
  if (box.failure !== null) return takeDown(deps, run, box.failure);
  run.progress.tell({ step: 'queued', state: 'done', message: 'A worker has begun.' });
  await intendMachine(deps.db, box, deps.now());
  const bootToken = await openBootToken(deps, box);
  const boot = watchBoot(deps, box.id);
  let outputs: BoxOutputs;
  let version: string | undefined;
  try {
    const signal = AbortSignal.any([run.signal, boot.failed]);
    const options = { onEvent: run.progress.tell, signal, takeOver: true, isFirst: box.fence === '1' };
    const spec = deps.buildSpec(box, { bootToken });
    version = spec.releases.version;
    outputs = await deps.engine.up(spec, options);
    await run.progress.flush();
  } catch (error) {
    if (run.signal.aborted) throw error;
    // The box has said itself why it won't come up: nobody need wait for the deadline.
    const failure = boot.failure();
    if (failure !== undefined) return takeDown(deps, run, failure, 'box');
    if (error instanceof SpoqError && error.code !== 'stack_busy') {
      deps.log.warn({ err: error, box_id: box.id }, 'a box could not be made');
      return takeDown(deps, run, error.detail ?? `${error.title}.`);
    }
    const message = 'Something broke on our side. We are trying again by ourselves.';
    run.progress.tell({ step: run.progress.step(), state: 'progress', message });
    await run.progress.flush();
    throw error;
  } finally {
    boot.stop();
  }
  await settleReady(deps, run, outputs, version);
}

/** The last resort, when no attempt has come to an end: nothing is left at the vendor, and the customer is told. */
export async function runProvisionDeadJob(deps: WorkerDeps, attempt: Attempt): Promise<void> {
  const box = await takeFence(deps.db, attempt.boxId, ['pending', 'provisioning'], 'provisioning');
  if (box === undefined) return;
  await takeDown(deps, beginRun(deps, box, attempt), box.failure ?? GAVE_UP);
}

/** One attempt at work on a box whose lease it holds. */
export interface Run extends Attempt {
  box: UserVpsRow;
  progress: Progress;
}

/** `signal` is also aborted when another run takes the box over. */
export function beginRun(deps: WorkerDeps, box: UserVpsRow, attempt: Attempt): Run {
  const lost = new AbortController();
  const signal = AbortSignal.any([attempt.signal, lost.signal]);
  return { ...attempt, box, signal, progress: createProgress(deps, box, (error) => lost.abort(error)) };
}

async function settleReady(
  deps: WorkerDeps,
  { box, askedAt, settle }: Run,
  outputs: BoxOutputs,
  version: string | undefined,
): Promise<void> {
  const now = deps.now();
  const release = version === undefined ? {} : { release_version: version, released_at: now };
  await deps.db.transaction(async (tx) => {
    await writeBox(tx, box, { ...toBoxColumns(outputs), ...release, status: 'ready', ready_at: now, failure: null });
    await ownMachine(tx, box, outputs, now);
    await deleteBootToken(tx, box.id);
    await appendVpsEvent(tx, box.id, { step: 'ready', state: 'done', message: 'Your box is ready.', at: now });
    await sendBoxJob(deps.boss, tx, QUEUES.bill, box);
    await settle(tx);
  });
  observe(deps, box, 'ready', askedAt);
}

/** Decides, writes the decision down, and only then acts on it: a run that is stopped in between is finished by the next. */
async function takeDown(deps: WorkerDeps, run: Run, reason: string, failed?: StepName): Promise<void> {
  const { box, progress, signal } = run;
  await progress.flush();
  if (box.failure === null)
    await deps.db.transaction(async (tx) => {
      await writeBox(tx, box, { failure: reason });
      const at = deps.now();
      await appendVpsEvent(tx, box.id, { step: failed ?? progress.step(), state: 'failed', message: reason, at });
    });
  const given = await deps.engine.destroy(toStackName(box.id), [box.provider], { signal, takeOver: true });
  await deps.db.transaction(async (tx) => {
    await holdLease(tx, box);
    await releaseMachines(tx, box, given, deps.now());
    await deleteBootToken(tx, box.id);
    await writeBox(tx, box, { status: 'failed', failure: reason, provider_instance_id: null, ip_address: null });
    await notifyBox(tx, box.id);
    await sendBoxJob(deps.boss, tx, QUEUES.bill, box);
    await run.settle(tx);
  });
  observe(deps, box, 'failed', run.askedAt);
}

function observe(deps: WorkerDeps, box: UserVpsRow, outcome: 'ready' | 'failed', askedAt: Date): void {
  const seconds = (deps.now().getTime() - askedAt.getTime()) / 1000;
  deps.metrics.provisionSeconds.observe({ provider: box.provider, outcome }, seconds);
  deps.log.info({ box_id: box.id, provider: box.provider, outcome, seconds }, 'provisioning has ended');
}
