import { SpoqError } from '../../contract/errors.ts';
import type { StepName } from '../../contract/vps.ts';
import { recordAudit } from '../commands/audit.ts';
import { queueMail } from '../commands/queue-mail.ts';
import { sendSteerJob } from '../commands/write-life.ts';
import { findSubscription } from '../db/subscriptions.ts';
import { boxStopped, planChanged } from '../mail/messages.ts';
import { openBootToken } from '../commands/open-boot-token.ts';
import { deleteBootToken } from '../db/boot-tokens.ts';
import { isOperating } from '../db/box-operations.ts';
import { findBox, takeFence, toBoxColumns, type UserVpsRow } from '../db/user-vps.ts';
import { appendVpsEvent } from '../db/vps-events.ts';
import type { BoxOutputs } from '../engine/engine.ts';
import { OPERATION_ENDS } from '../presenters/operations.ts';
import { ownMachine } from './machine-records.ts';
import { writeBox } from './progress.ts';
import { beginRun, GAVE_UP, type Run } from './provision-job.ts';
import { finishMove, moveBox } from './move-box.ts';
import { type BootWatch, watchBoot } from './watch-boot.ts';
import type { Attempt, WorkerDeps } from './worker-deps.ts';

/**
 * Does to a box what was asked for, or goes on with it where an earlier run stopped. Whatever comes of it, machine, name and
 * contract stay: a failure is noted with its reason, and may be tried again. What is thrown hands the job to another attempt.
 */
export async function runOperateJob(deps: WorkerDeps, attempt: Attempt): Promise<void> {
  const box = await takeOperation(deps, attempt);
  if (box === undefined) return;
  const run = beginRun(deps, box, attempt);
  run.progress.tell({ step: 'queued', state: 'done', message: 'A worker has begun.' });
  const boot = watchBoot(deps, box.id);
  let result: Result;
  try {
    result = box.operation === 'move' ? await moveBox(deps, run, boot) : await operate(deps, run, boot);
    await run.progress.flush();
  } catch (error) {
    if (run.signal.aborted) throw error;
    const failure = boot.failure();
    if (failure !== undefined) return settleFailed(deps, run, failure, 'box');
    if (error instanceof SpoqError && error.code !== 'stack_busy') {
      deps.log.error({ err: error, box_id: box.id, operation: box.operation }, 'an operation on a box has failed');
      return settleFailed(deps, run, error.detail ?? `${error.title}.`);
    }
    const message = 'Something broke on our side. We are trying again by ourselves.';
    run.progress.tell({ step: run.progress.step(), state: 'progress', message });
    await run.progress.flush();
    throw error;
  } finally {
    boot.stop();
  }
  await settleDone(deps, run, result);
}

/** What has come of an operation. */
interface Result {
  box: UserVpsRow;
  /** Undefined where only the box itself was changed. */
  outputs: BoxOutputs | undefined;
  version: string | undefined;
}

/** An operation that is one run of the engine. */
async function operate(deps: WorkerDeps, run: Run, boot: BootWatch): Promise<Result> {
  // What a move has left undone would otherwise be done by a run that doesn't know of it.
  const box = await finishMove(deps, run);
  // Only a machine that is installed anew boots for the first time.
  const bootToken = box.operation === 'rebuild' ? await openBootToken(deps, box) : undefined;
  const signal = AbortSignal.any([run.signal, boot.failed]);
  const options = { onEvent: run.progress.tell, signal, takeOver: true };
  const spec = deps.buildSpec(box, bootToken === undefined ? {} : { bootToken });
  const { version } = spec.releases;
  if (box.operation === 'suspend') {
    await deps.engine.suspend(spec, options);
    return { box, outputs: undefined, version: undefined };
  }
  if (box.operation !== 'password') return { box, outputs: await deps.engine.up(spec, options), version };
  await deps.engine.converge(spec, options);
  return { box, outputs: undefined, version };
}

/** The last resort, when no attempt has come to an end: the box is left as it is, and its owner is told. */
export async function runOperateDeadJob(deps: WorkerDeps, attempt: Attempt): Promise<void> {
  const box = await takeOperation(deps, attempt);
  if (box === undefined) return;
  deps.log.error({ box_id: box.id, operation: box.operation }, 'an operation on a box has failed');
  const run = beginRun(deps, box, attempt);
  // A box that is half-way between two machines is not left there. What can't be done now is done before anything else is.
  await finishMove(deps, run).catch((err: unknown) =>
    deps.log.error({ err, box_id: box.id }, 'a move could not be ended: the next operation on the box tries again'),
  );
  await settleFailed(deps, run, GAVE_UP);
}

/** The box with its lease, if anything is to be done to it. */
async function takeOperation(deps: WorkerDeps, { boxId }: Attempt): Promise<UserVpsRow | undefined> {
  const present = await findBox(deps.db, boxId);
  if (present === undefined || !isOperating(present)) return undefined;
  const box = await takeFence(deps.db, boxId, ['ready'], 'ready');
  return box !== undefined && isOperating(box) ? box : undefined;
}

async function settleDone(deps: WorkerDeps, { settle }: Run, { box, outputs, version }: Result): Promise<void> {
  const at = deps.now();
  const isNew = version !== undefined && version !== box.release_version;
  const release = isNew ? { release_version: version, released_at: at } : {};
  await deps.db.transaction(async (tx) => {
    const facts = outputs === undefined ? {} : toBoxColumns(outputs);
    await writeBox(tx, box, { ...facts, ...release, ...toPower(box, at), operation: null, operation_failure: null });
    if (outputs !== undefined) await ownMachine(tx, box, outputs, at);
    await deleteBootToken(tx, box.id);
    await appendVpsEvent(tx, box.id, {
      step: 'ready',
      state: 'done',
      message: OPERATION_ENDS[box.operation ?? 'restart'],
      at,
    });
    await tellOwner(deps, tx, box, at);
    // Meanwhile somebody may have paid, or have stopped to.
    await sendSteerJob(deps, tx, box.user_id);
    await settle(tx);
    await recordEnd(tx, box, 'done', at);
  });
}

function toPower(box: UserVpsRow, at: Date): Pick<Partial<UserVpsRow>, 'suspended_at'> {
  if (box.operation === 'suspend') return { suspended_at: at };
  return box.operation === 'resume' ? { suspended_at: null } : {};
}

/** Who didn't ask for something to be done to their box is told that it was. */
async function tellOwner(deps: WorkerDeps, tx: WorkerDeps['db'], box: UserVpsRow, at: Date): Promise<void> {
  const { BASE_URL: baseUrl } = deps.config;
  const to = { userId: box.user_id };
  const number = `${box.id}:${box.operation_number}`;
  if (box.operation === 'suspend') {
    const graceEndsAt = (await findSubscription(tx, box.user_id))?.grace_ends_at ?? at;
    const message = boxStopped({ baseUrl, graceEndsAt });
    await queueMail(deps, tx, { to, kind: 'box_stopped', key: `box_stopped:${number}`, message });
  }
  if (box.operation === 'move' && box.resize_number === box.operation_number) {
    const message = planChanged({ baseUrl, plan: box.plan });
    await queueMail(deps, tx, { to, kind: 'plan_changed', key: `plan_changed:${number}`, message });
  }
}

async function settleFailed(
  deps: WorkerDeps,
  { box, progress, settle }: Run,
  reason: string,
  step?: StepName,
): Promise<void> {
  await progress.flush();
  const at = deps.now();
  await deps.db.transaction(async (tx) => {
    await writeBox(tx, box, { operation_failure: reason });
    await deleteBootToken(tx, box.id);
    await appendVpsEvent(tx, box.id, { step: step ?? progress.step(), state: 'failed', message: reason, at });
    await sendSteerJob(deps, tx, box.user_id);
    await settle(tx);
    await recordEnd(tx, box, 'failed', at);
  });
}

async function recordEnd(tx: WorkerDeps['db'], box: UserVpsRow, outcome: 'done' | 'failed', at: Date): Promise<void> {
  await recordAudit(tx, {
    at,
    actor: 'system',
    user_id: box.user_id,
    action: `box.${box.operation ?? 'operation'}_${outcome}`,
    detail: { box_id: box.id, hostname: box.hostname, number: box.operation_number },
  });
}
