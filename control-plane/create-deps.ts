import { createCipher } from './cipher.ts';
import { listSecrets, type Config } from './config.ts';
import { connectDb, migrate } from './db/connect.ts';
import type { Deps } from './deps.ts';
import { createStripe } from './integrations/stripe.ts';
import { createBoss, installQueues } from './jobs/queues.ts';
import { createLogger } from './log.ts';
import { createMetrics } from './metrics.ts';
import { createPages } from './pages/pages.ts';

export interface DepsOptions {
  /** Another clock than the machine's. */
  now?: () => Date;
  /** Whether a worker does what recurs. */
  schedule?: boolean;
}

/** Everything that a web server or a worker is made of. Nothing is dialled yet. */
export function createDeps(
  config: Config,
  role: 'web' | 'worker',
  { now = () => new Date(), schedule }: DepsOptions = {},
): Deps {
  return {
    config,
    db: connectDb(config.DATABASE_URL.reveal(), role === 'web' ? 20 : 5 + 2 * config.WORKER_CONCURRENCY),
    log: createLogger(config.LOG_LEVEL, role, undefined, listSecrets(config)),
    cipher: createCipher(config.ENCRYPTION_KEY.reveal()),
    metrics: createMetrics(),
    pages: createPages(),
    stripe: createStripe(config),
    boss: createBoss(config, role, schedule === undefined ? {} : { schedule }),
    now,
    machineNow: () => new Date(),
  };
}

/** Brings the whole database up to date: our schema, then pg-boss's and the queues. */
export async function migrateDatabase(deps: Pick<Deps, 'config' | 'db'>): Promise<void> {
  await migrate(deps.db, () => installQueues(deps.config.DATABASE_URL.reveal()));
}
