import path from 'node:path';
import { Client } from 'pg';
import { loadConfig } from '../../control-plane/config.ts';
import { createDeps } from '../../control-plane/create-deps.ts';
import { startChild } from '../../tools/child.ts';
import { waitUntilReady } from '../../tools/parts.ts';
import { findFreePort } from '../../tools/ports.ts';
import type { TemporaryRun } from '../../tools/temporary-run.ts';
import { createCaller } from './caller.ts';
import type { Caller } from './caller.ts';
import { CONCURRENCIES } from './drive.ts';
import { checkAudit, checkDevices, checkEvents, checkSignUps, createDevices, listSubscribers } from './people.ts';
import { createSandboxPages, NO_PAGES } from './sign-up.ts';
import {
  createFloorLoad,
  createPasswordLoad,
  createRefreshLoad,
  createSignUpLoad,
  createWebhookLoad,
} from './workloads.ts';
import type { Workload } from './workloads.ts';

export interface LoadWorld {
  floor: Workload;
  workloads: Workload[];
  /** @throws Error when a database doesn't hold what was answered */
  check(): Promise<void>;
}

const ROOT = path.dirname(path.dirname(import.meta.dirname));
/** People who are there before anything is measured: half of them with a box and a device, half before that. */
const PEOPLE = 256;
const FLOOR_ROWS = 256;
const GRACE_MS = 8000;
const SETTLE_MS = 60_000;
const POLL_MS = 100;

/**
 * Two control planes on one Postgres server, behind a proxy that tells who calls: the run's own, whose vendors are the sandbox's, and
 * one with a database of its own and vendors that answer at once. Beside them the bare handler. All are processes of their own.
 */
export async function openLoadWorld(
  run: TemporaryRun,
  onEnd: (end: () => Promise<void>) => void,
  update: (detail: string) => void,
): Promise<LoadWorld> {
  const start = createStarter(run, onEnd);
  const dial = (url: string): Caller => {
    const caller = createCaller(url.replace('//localhost:', '//127.0.0.1:'), Math.max(...CONCURRENCIES));
    onEnd(caller.close);
    return caller;
  };
  const openDeps = (environment: Record<string, string>) => {
    const deps = createDeps(loadConfig({ ...environment, LOG_LEVEL: 'silent' }), 'web');
    onEnd(() => deps.db.destroy());
    return deps;
  };

  update('starting');
  const databaseUrl = await createDatabase(run.environment['DATABASE_URL'] ?? '', 'load');
  const vendors = await start('vendors', ['bench/load/vendors/main.ts'], (port) => ({ VENDORS_PORT: port }));
  const common = { ...run.environment, DATABASE_URL: databaseUrl, NODE_ENV: 'production' };
  const atVendors = { ...common, STRIPE_API_URL: vendors, GITHUB_URL: vendors, GITHUB_API_URL: vendors };
  let environment: Record<string, string> = atVendors;
  const baseUrl = await start('loaded control plane', ['control-plane/main.ts', 'web'], (port) => {
    environment = { ...atVendors, SERVER_PORT: port, BASE_URL: `http://localhost:${port}` };
    return environment;
  });
  const deps = openDeps(environment);
  const own = openDeps(run.environment);
  await deps.db.raw('CREATE TABLE floor (id integer PRIMARY KEY, changes integer NOT NULL)');
  await deps.db.raw('INSERT INTO floor SELECT id, 0 FROM generate_series(1, ?::integer) AS id', [FLOOR_ROWS]);
  const floor = await start('floor', ['bench/load/floor/main.ts'], (port) => ({ ...common, FLOOR_PORT: port }));

  update('people sign up');
  const plane = { baseUrl, caller: dial(baseUrl) };
  const quick = createSignUpLoad('sign-ups, vendors that cost nothing', 'quick', plane, NO_PAGES);
  while (quick.customers.length < PEOPLE) await Promise.all(Array.from({ length: 8 }, () => quick.once([])));
  const subscribers = await listSubscribers(deps.db, 'quick');
  const devices = await createDevices(deps, subscribers.slice(0, PEOPLE / 2));
  const withBox = new Set(devices.map(({ login }) => login));
  const undecided = quick.customers.filter(({ login }) => !withBox.has(login));
  const sent = new Map<string, number>();
  const secret = deps.config.STRIPE_WEBHOOK_SECRET.reveal();
  const stripe = dial(run.urls['stripe'] ?? '');
  const pages = createSandboxPages(stripe, dial(run.urls['github'] ?? ''));
  const ownPlane = { baseUrl: run.baseUrl, caller: dial(run.baseUrl) };
  const whole = createSignUpLoad("sign-ups, the sandbox's vendors", 'whole', ownPlane, pages);
  return {
    floor: createFloorLoad(dial(floor), FLOOR_ROWS),
    workloads: [
      { ...whole, settle: () => untilDelivered(stripe) },
      quick,
      createWebhookLoad(plane.caller, { subscribers, secret, sent }),
      createRefreshLoad(plane.caller, devices),
      createPasswordLoad(plane, undecided),
    ],
    async check() {
      await checkSignUps(own.db, 'whole', whole.customers.length);
      await checkSignUps(deps.db, 'quick', quick.customers.length);
      await checkEvents(deps.db, subscribers, sent);
      await checkDevices(deps.db, devices);
      await checkAudit(deps.db);
    },
  };
}

type Starter = (name: string, argv: string[], env: (port: string) => Record<string, string>) => Promise<string>;

/** Starts one of our programs on a free port, and answers its address when it listens. */
function createStarter(run: TemporaryRun, onEnd: (end: () => Promise<void>) => void): Starter {
  return async (name, [file = '', ...args], describe) => {
    const port = String(await findFreePort());
    const child = startChild({
      name,
      argv: [process.execPath, path.join(ROOT, file), ...args],
      env: { PATH: run.environment['PATH'], ...describe(port) },
      cwd: ROOT,
      logFile: path.join(run.folder.logs, `${name.replaceAll(' ', '-')}.log`),
    });
    onEnd(() => child.stop(GRACE_MS));
    await waitUntilReady(child, `http://127.0.0.1:${port}/ready`, run.folder);
    return `http://localhost:${port}`;
  };
}

/** An empty database on the server of another; answers its URL. */
async function createDatabase(url: string, name: string): Promise<string> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(`CREATE DATABASE ${name}`);
  } finally {
    await client.end();
  }
  const made = new URL(url);
  made.pathname = `/${name}`;
  return made.href;
}

/** What the sandbox's Stripe has to tell must not fall into what is measured next. @throws Error when an event could not be told */
async function untilDelivered(stripe: Caller): Promise<void> {
  for (const deadline = Date.now() + SETTLE_MS; Date.now() < deadline;) {
    const { text } = await stripe.call({ path: '/_sandbox/deliveries', expects: 200 });
    const deliveries = JSON.parse(text) as { state: string; attempts: { status: number | null }[] }[];
    const refused = deliveries.find(({ attempts }) => attempts.some(({ status }) => status !== 200));
    if (refused !== undefined) throw new Error(`An event of Stripe's was refused: ${JSON.stringify(refused)}`);
    if (deliveries.every(({ state }) => state === 'delivered')) return;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error(`Stripe's events had not arrived after ${SETTLE_MS / 1000} s`);
}
