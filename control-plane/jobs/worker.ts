import type { JobWithMetadata } from 'pg-boss';
import { requestContext } from '../log.ts';
import { createHandlers } from './handlers.ts';
import { QUEUES } from './queues.ts';
import type { WorkerDeps } from './worker-deps.ts';

/** Jobs of others that were handed back or left by a dead worker wake nobody, so they are looked for. */
const POLL_SECONDS = 1;
/** A job that is told to stop lets go of its stack within seconds; longer than this and it is left to the next worker. */
const STOP_SECONDS = 15;

/** What isn't done WORKER_CONCURRENCY at a time: the last resorts, what recurs, and mails, for their server's sake. */
const CONCURRENCY: Partial<Record<string, number>> = {
  [QUEUES.provisionDead]: 1,
  [QUEUES.convergeDead]: 1,
  [QUEUES.operateDead]: 1,
  [QUEUES.mail]: 2,
  [QUEUES.subscriptions]: 1,
  [QUEUES.compare]: 1,
  [QUEUES.reconcile]: 1,
  [QUEUES.expire]: 1,
};

/** What recurs, as cron has it. */
const SCHEDULE = {
  [QUEUES.subscriptions]: '* * * * *',
  [QUEUES.expire]: '*/10 * * * *',
  [QUEUES.reconcile]: '17 * * * *',
  [QUEUES.compare]: '41 * * * *',
} as const;

export interface Worker {
  /** Takes no more work, tells running jobs to stop, hands them back and waits for that. */
  stop(): Promise<void>;
}

/** Begins to work: WORKER_CONCURRENCY jobs of a queue at a time, one per user, and what recurs. */
export async function startWorker(deps: WorkerDeps): Promise<Worker> {
  const { boss, log } = deps;
  const ending = new AbortController();
  boss.on('error', (err) => log.error({ err }, 'queue'));
  boss.on('warning', (warning) => log.warn({ warning }, 'queue'));
  await boss.start();
  const poll = { pollingIntervalSeconds: POLL_SECONDS, notifyPollingIntervalSeconds: POLL_SECONDS };
  for (const [queue, handle] of Object.entries(createHandlers(deps))) {
    const localConcurrency = CONCURRENCY[queue] ?? deps.config.WORKER_CONCURRENCY;
    const options = { ...poll, includeMetadata: true, localConcurrency, groupConcurrency: 1 } as const;
    await boss.work(queue, options, async (jobs: JobWithMetadata<object>[]): Promise<void> => {
      for (const job of jobs) {
        const signal = AbortSignal.any([job.signal, ending.signal]);
        await requestContext.run({ requestId: job.id }, () => measure(deps, queue, job, () => handle(job, signal)));
      }
    });
  }
  for (const [queue, cron] of Object.entries(SCHEDULE)) await boss.schedule(queue, cron);
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
