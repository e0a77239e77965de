import type { PgBoss } from 'pg-boss';
import type Stripe from 'stripe';
import type { Cipher } from './cipher.ts';
import type { Config } from './config.ts';
import type { Db } from './db/connect.ts';
import type { Logger } from './log.ts';
import type { Metrics } from './metrics.ts';
import type { Pages } from './pages/pages.ts';

/** What routes, commands and jobs are given; their first argument. */
export interface Deps {
  config: Config;
  db: Db;
  log: Logger;
  cipher: Cipher;
  metrics: Metrics;
  pages: Pages;
  stripe: Stripe;
  boss: PgBoss;
  /** The clock, so that tests can move it. */
  now: () => Date;
  /** The time as others have it: what signatures are as old as. Differs from `now` only where that is another clock. */
  machineNow: () => Date;
  /** Aborted when this process has been told to end: `/ready` says so, so that no more is sent to it. */
  ending?: AbortSignal;
}
