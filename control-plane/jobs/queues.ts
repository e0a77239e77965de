import { fromKnex, PgBoss } from 'pg-boss';
import type { Config } from '../config.ts';
import type { Db } from '../db/connect.ts';

/** What a job is about. Jobs hold ids and nothing else: everything is read again when they run. */
export interface BoxJob {
  user_vps_id: string;
}

/** A person whose box is to be made what their subscription says. */
export interface SteerJob {
  user_id: string;
}

/** A person whose account is being deleted. */
export interface DeletionJob {
  user_id: string;
}

/** Something that is to be undone at Stripe. */
export interface SettleJob {
  settlement_id: string;
}

/** A mail that is to be sent. */
export interface MailJob {
  mail_id: string;
}

/**
 * Names of the queues. `provision-dead` gets what could not be provisioned however often it was tried; `operate-dead` and `converge-dead`,
 * likewise.
 */
export const QUEUES = {
  provision: 'provision',
  provisionDead: 'provision-dead',
  operate: 'operate',
  operateDead: 'operate-dead',
  converge: 'converge',
  convergeDead: 'converge-dead',
  destroy: 'destroy',
  bill: 'bill',
  settle: 'settle',
  deletion: 'delete-account',
  steer: 'steer',
  mail: 'mail',
  subscriptions: 'subscriptions',
  compare: 'compare-stripe',
  reconcile: 'reconcile-machines',
  expire: 'expire',
} as const;

/** A worker counts as dead after so long without a word, and its job goes to another (pg-boss allows no less than 10). */
const HEARTBEAT_SECONDS = 10;
/** How often dead workers are looked for. */
const SUPERVISE_SECONDS = 3;

/**
 * pg-boss on our database, in its own schema. A web server only enqueues; a worker also does the housekeeping, and what recurs unless
 * `schedule` is false.
 */
export function createBoss(
  config: Pick<Config, 'DATABASE_URL' | 'WORKER_CONCURRENCY'>,
  role: 'web' | 'worker',
  { schedule = true }: { schedule?: boolean } = {},
): PgBoss {
  const worker = role === 'worker';
  return new PgBoss({
    connectionString: config.DATABASE_URL.reveal(),
    schema: 'pgboss',
    application_name: `spoq-${role}-jobs`,
    max: worker ? 4 + config.WORKER_CONCURRENCY : 2,
    supervise: worker,
    schedule: worker && schedule,
    migrate: false,
    createSchema: false,
    registerInstance: worker,
    useListenNotify: worker,
    superviseIntervalSeconds: SUPERVISE_SECONDS,
    monitorIntervalSeconds: SUPERVISE_SECONDS,
  });
}

/** Installs pg-boss's schema and our queues, or brings them up to date. Run under the migration lock. */
export async function installQueues(databaseUrl: string): Promise<void> {
  const boss = new PgBoss({
    connectionString: databaseUrl,
    schema: 'pgboss',
    max: 2,
    supervise: false,
    schedule: false,
    registerInstance: false,
  });
  const faults: Error[] = [];
  boss.on('error', (error) => faults.push(error));
  await boss.start();
  try {
    // Kills, hand-overs and outages all count as tries, so there are many; what the vendor refuses is never tried again.
    const retries = { retryLimit: 25, retryDelay: 1, retryBackoff: true, retryDelayMax: 15, notify: true };
    const lease = { heartbeatSeconds: HEARTBEAT_SECONDS, expireInSeconds: 6 * 3600 };
    await ensureQueue(boss, QUEUES.provisionDead, { ...retries, ...lease });
    await ensureQueue(boss, QUEUES.provision, { ...retries, ...lease, deadLetter: QUEUES.provisionDead });
    await ensureQueue(boss, QUEUES.convergeDead, { ...retries, ...lease });
    await ensureQueue(boss, QUEUES.converge, { ...retries, ...lease, deadLetter: QUEUES.convergeDead });
    await ensureQueue(boss, QUEUES.operateDead, { ...retries, ...lease });
    await ensureQueue(boss, QUEUES.operate, { ...retries, ...lease, deadLetter: QUEUES.operateDead });
    await ensureQueue(boss, QUEUES.destroy, { ...retries, ...lease, retryLimit: 100, retryDelayMax: 600 });
    // For ten days. `standard`: what changes while a job waits or runs needs another one, which must never be left out.
    const patience = { retryLimit: 250, retryDelay: 1, retryBackoff: true, retryDelayMax: 3600, notify: true };
    await ensureQueue(boss, QUEUES.bill, { ...patience, ...lease }, 'standard');
    await ensureQueue(boss, QUEUES.steer, { ...retries, ...lease }, 'standard');
    await ensureQueue(boss, QUEUES.settle, { ...patience, ...lease });
    await ensureQueue(boss, QUEUES.deletion, { ...retries, ...lease }, 'standard');
    await ensureQueue(boss, QUEUES.mail, patience);
    await ensureQueue(boss, QUEUES.subscriptions, { ...lease, retryLimit: 0 });
    await ensureQueue(boss, QUEUES.compare, { ...lease, retryLimit: 2, retryDelay: 60 });
    await ensureQueue(boss, QUEUES.reconcile, { ...lease, retryLimit: 2, retryDelay: 60 });
    await ensureQueue(boss, QUEUES.expire, { retryLimit: 2, retryDelay: 60 });
  } finally {
    await boss.stop({ graceful: false });
  }
  if (faults[0] !== undefined) throw new Error('pg-boss could not be installed', { cause: faults[0] });
}

/** `exclusive` with a singleton key: one job of a box is queued or running, never two. `standard`: any number. */
async function ensureQueue(
  boss: PgBoss,
  name: string,
  options: Parameters<PgBoss['createQueue']>[1],
  policy: 'exclusive' | 'standard' = 'exclusive',
): Promise<void> {
  if ((await boss.getQueue(name)) === null) await boss.createQueue(name, { ...options, policy });
  else {
    const { deadLetter, ...rest } = options ?? {};
    await boss.updateQueue(name, deadLetter === undefined ? rest : { ...rest, deadLetter });
  }
}

/** Enqueues work on a box with the rows of `tx`: both commit or neither. What an exclusive queue has already stays as it is. */
export async function sendBoxJob(
  boss: PgBoss,
  tx: Db,
  queue: 'provision' | 'operate' | 'converge' | 'destroy' | 'bill',
  box: { id: string; user_id: string },
): Promise<void> {
  const job: BoxJob = { user_vps_id: box.id };
  await boss.send(queue, job, { db: fromKnex(tx), singletonKey: box.id, group: { id: box.user_id } });
}
