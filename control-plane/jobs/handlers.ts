import { fromKnex, type JobWithMetadata } from 'pg-boss';
import { compareStripe } from '../commands/compare-stripe.ts';
import { deleteAccount } from '../commands/delete-account.ts';
import { settle } from '../commands/settle.ts';
import { settleCollection } from '../commands/settle-collection.ts';
import { steerBox } from '../commands/steer-box.ts';
import { syncSubscription } from '../commands/sync-subscription.ts';
import { runConvergeDeadJob, runConvergeJob } from './converge-job.ts';
import { runDestroyJob } from './destroy-job.ts';
import { expireRecords } from './expire.ts';
import { runMailJob } from './mail-job.ts';
import { runOperateDeadJob, runOperateJob } from './operate-job.ts';
import { runProvisionDeadJob, runProvisionJob } from './provision-job.ts';
import { QUEUES, type BoxJob, type DeletionJob, type MailJob, type SettleJob, type SteerJob } from './queues.ts';
import { reconcileMachines } from './reconcile-machines.ts';
import { rescueBoxes } from './rescue-boxes.ts';
import { rescueRollout } from './rescue-rollout.ts';
import { watchSubscriptions } from './watch-subscriptions.ts';
import type { Attempt, WorkerDeps } from './worker-deps.ts';

/** Does one job. What it throws hands the job to another attempt; `signal` is aborted when its lease is lost or the worker ends. */
export type Handler = (job: JobWithMetadata<object>, signal: AbortSignal) => Promise<void>;

/** What each queue's jobs are done by. */
export function createHandlers(deps: WorkerDeps): Record<(typeof QUEUES)[keyof typeof QUEUES], Handler> {
  const onBox =
    (queue: string, run: (deps: WorkerDeps, attempt: Attempt) => Promise<void>): Handler =>
    (job, signal) =>
      run(deps, {
        boxId: (job.data as BoxJob).user_vps_id,
        signal,
        askedAt: job.createdOn,
        settle: async (tx) => {
          await deps.boss.complete(queue, { id: job.id, retryCount: job.retryCount }, null, { db: fromKnex(tx) });
        },
      });
  /** Differs from one attempt to the next. */
  const toAttempt = ({ id, retryCount }: JobWithMetadata<object>) => `${id}-${retryCount}`;
  return {
    [QUEUES.provision]: onBox(QUEUES.provision, runProvisionJob),
    [QUEUES.provisionDead]: onBox(QUEUES.provisionDead, runProvisionDeadJob),
    [QUEUES.converge]: onBox(QUEUES.converge, runConvergeJob),
    [QUEUES.convergeDead]: onBox(QUEUES.convergeDead, runConvergeDeadJob),
    [QUEUES.operate]: onBox(QUEUES.operate, runOperateJob),
    [QUEUES.operateDead]: onBox(QUEUES.operateDead, runOperateDeadJob),
    [QUEUES.destroy]: onBox(QUEUES.destroy, runDestroyJob),
    [QUEUES.bill]: (job) => settleCollection(deps, (job.data as BoxJob).user_vps_id, toAttempt(job)),
    [QUEUES.steer]: async (job) => void (await steerBox(deps, (job.data as SteerJob).user_id)),
    [QUEUES.settle]: (job) =>
      settle(deps, (job.data as SettleJob).settlement_id, toAttempt(job), (tx, id) => syncSubscription(deps, tx, id)),
    [QUEUES.deletion]: (job) => deleteAccount(deps, (job.data as DeletionJob).user_id),
    [QUEUES.mail]: (job) => runMailJob(deps, (job.data as MailJob).mail_id),
    [QUEUES.subscriptions]: (_job, signal) => watchSubscriptions(deps, signal),
    [QUEUES.compare]: async (_job, signal) => void (await compareStripe(deps, signal)),
    [QUEUES.reconcile]: (_job, signal) => reconcileMachines(deps, signal),
    [QUEUES.expire]: async () => {
      await rescueBoxes(deps);
      await rescueRollout(deps);
      await expireRecords(deps);
    },
  };
}
