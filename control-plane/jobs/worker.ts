import { fromKnex, type JobWithMetadata } from 'pg-boss';
import { compareStripe } from '../commands/compare-stripe.ts';
import { settle } from '../commands/settle.ts';
import { settleCollection } from '../commands/settle-collection.ts';
import { steerBox } from '../commands/steer-box.ts';
import { syncSubscription } from '../commands/sync-subscription.ts';
import { requestContext } from '../log.ts';
import { runConvergeDeadJob, runConvergeJob } from './converge-job.ts';
import { runDestroyJob } from './destroy-job.ts';
import { expireRecords } from './expire.ts';
import { runMailJob } from './mail-job.ts';
import { runOperateDeadJob, runOperateJob } from './operate-job.ts';
import { runProvisionDeadJob, runProvisionJob } from './provision-job.ts';
import { QUEUES, type BoxJob, type MailJob, type SettleJob, type SteerJob } from './queues.ts';
import { reconcileMachines } from './reconcile-machines.ts';
import { rescueBoxes } from './rescue-boxes.ts';
import { rescueRollout } from './rescue-rollout.ts';
import { watchSubscriptions } from './watch-subscriptions.ts';
import type { Attempt, WorkerDeps } from './worker-deps.ts';

/** Jobs of others that were handed back or left by a dead worker wake nobody, so they are looked for. */
const POLL_SECONDS = 1;
/** A job that is told to stop lets go of its stack within seconds; longer than this and it is left to the next worker. */
const STOP_SECONDS = 15;

export interface Worker {
  /** Takes no more work, tells running jobs to stop, hands them back and waits for that. */
  stop(): Promise<void>;
}

/** Begins to work: boxes, WORKER_CONCURRENCY at a time and one per user, and what recurs. */
export async function startWorker(deps: WorkerDeps): Promise<Worker> {
  const { boss, log } = deps;
  const ending = new AbortController();
  boss.on('error', (err) => log.error({ err }, 'queue'));
  boss.on('warning', (warning) => log.warn({ warning }, 'queue'));
  await boss.start();

  const poll = { pollingIntervalSeconds: POLL_SECONDS, notifyPollingIntervalSeconds: POLL_SECONDS };
  const work = async <Job extends object = BoxJob>(
    queue: string,
    concurrency: number,
    run: (job: JobWithMetadata<Job>, signal: AbortSignal) => Promise<void>,
  ) => {
    const options = { ...poll, includeMetadata: true, localConcurrency: concurrency, groupConcurrency: 1 } as const;
    await boss.work(queue, options, async (jobs: JobWithMetadata<Job>[]): Promise<void> => {
      for (const job of jobs) {
        const signal = AbortSignal.any([job.signal, ending.signal]);
        await requestContext.run({ requestId: job.id }, () => measure(deps, queue, job, () => run(job, signal)));
      }
    });
  };
  const onBox =
    (queue: string, run: (deps: WorkerDeps, attempt: Attempt) => Promise<void>) =>
    (job: JobWithMetadata<BoxJob>, signal: AbortSignal) =>
      run(deps, {
        boxId: job.data.user_vps_id,
        signal,
        askedAt: job.createdOn,
        settle: async (tx) => {
          await boss.complete(queue, { id: job.id, retryCount: job.retryCount }, null, { db: fromKnex(tx) });
        },
      });
  const concurrency = deps.config.WORKER_CONCURRENCY;
  await work(QUEUES.provision, concurrency, onBox(QUEUES.provision, runProvisionJob));
  await work(QUEUES.provisionDead, 1, onBox(QUEUES.provisionDead, runProvisionDeadJob));
  await work(QUEUES.converge, concurrency, onBox(QUEUES.converge, runConvergeJob));
  await work(QUEUES.convergeDead, 1, onBox(QUEUES.convergeDead, runConvergeDeadJob));
  await work(QUEUES.operate, concurrency, onBox(QUEUES.operate, runOperateJob));
  await work(QUEUES.operateDead, 1, onBox(QUEUES.operateDead, runOperateDeadJob));
  await work(QUEUES.destroy, concurrency, onBox(QUEUES.destroy, runDestroyJob));
  await work(QUEUES.bill, concurrency, (job) =>
    settleCollection(deps, job.data.user_vps_id, `${job.id}-${job.retryCount}`),
  );
  await work<SteerJob>(QUEUES.steer, concurrency, async (job) => void (await steerBox(deps, job.data.user_id)));
  await work<SettleJob>(QUEUES.settle, concurrency, (job) =>
    settle(deps, job.data.settlement_id, `${job.id}-${job.retryCount}`, (tx, id) => syncSubscription(deps, tx, id)),
  );
  await work<MailJob>(QUEUES.mail, 2, (job) => runMailJob(deps, job.data.mail_id));
  await work(QUEUES.subscriptions, 1, (_job, signal) => watchSubscriptions(deps, signal));
  await work(QUEUES.compare, 1, async (_job, signal) => void (await compareStripe(deps, signal)));
  await work(QUEUES.reconcile, 1, (_job, signal) => reconcileMachines(deps, signal));
  await work(QUEUES.expire, 1, async () => {
    await rescueBoxes(deps);
    await rescueRollout(deps);
    await expireRecords(deps);
  });
  await boss.schedule(QUEUES.reconcile, '17 * * * *');
  await boss.schedule(QUEUES.subscriptions, '* * * * *');
  await boss.schedule(QUEUES.compare, '41 * * * *');
  await boss.schedule(QUEUES.expire, '*/10 * * * *');
  return {
    async stop() {
      ending.abort(new Error('the worker is ending'));
      await boss.stop({ graceful: true, timeout: STOP_SECONDS * 1000 });
    },
  };
}

async function measure(
  deps: WorkerDeps,
  queue: string,
  job: JobWithMetadata<object>,
  run: () => Promise<void>,
): Promise<void> {
  deps.log.info({ queue, job_id: job.id, attempt: job.retryCount + 1, data: job.data }, 'job begins');
  try {
    await run();
    deps.metrics.jobsTotal.inc({ queue, outcome: 'done' });
    deps.log.info({ queue, job_id: job.id }, 'job done');
  } catch (err) {
    deps.metrics.jobsTotal.inc({ queue, outcome: 'failed' });
    deps.log.error({ err, queue, job_id: job.id }, 'job failed and is tried again');
    throw err;
  }
}
