import { createTestDatabase, type TestDatabase } from '../../test/harness/database.ts';
import { waitFor } from '../../test/harness/wait.ts';
import { runVendor, type RunningVendor } from '../../sandbox/run-vendor.ts';
import { createMailVendor } from '../../sandbox/mail/vendor.ts';
import type { SandboxMail } from '../../sandbox/vendor.ts';
import { createStripeVendor } from '../../sandbox/stripe/vendor.ts';
import { buildBoxSpec } from '../engine/box-spec.ts';
import { createMailer } from '../integrations/smtp.ts';
import { createBoss } from '../jobs/queues.ts';
import { startWorker, type Worker } from '../jobs/worker.ts';
import type { BuildSpecOptions } from '../jobs/worker-deps.ts';
import type { UserVpsRow } from '../db/user-vps.ts';
import { Browser } from './browser.ts';
import { createTestControlPlane, type TestControlPlane } from './control-plane.ts';
import { createGithubServer, type GithubServer } from './github-server.ts';
import { createScriptedEngine, type ScriptedEngine } from './scripted-engine.ts';

export const GOOD_PASSWORD = 'Sunflower-lake-71';

/** Database, queues, web app, GitHub, a sandboxed Stripe and a scripted engine: all that the sign-up meets. */
export interface BoxWorld {
  database: TestDatabase;
  cp: TestControlPlane;
  github: GithubServer;
  stripe: RunningVendor;
  engine: ScriptedEngine;
  /** Moves the clocks of the control plane and of Stripe alike. */
  advance(seconds: number): void;
  /** What was sent to that address, or at all: the oldest first. */
  mails(to?: string): Promise<SandboxMail[]>;
  /** A worker; end it with the function that comes back, or leave it to `close`. */
  work(): Promise<Worker>;
  /** Stops the workers that a test has left, so that its failure stays its own. */
  stopWorkers(): Promise<void>;
  /** A new browser in which somebody has paid; answers it with the id of the Checkout session. */
  pay(plan?: string): Promise<{ browser: Browser; sessionId: string }>;
  /** Pays, signs in as `login` and chooses a password. */
  becomeReady(login: string): Promise<{ browser: Browser; userId: string }>;
  /** The box of a user, once `accept` likes it. */
  waitForBox(userId: string, accept: (box: Record<string, unknown>) => boolean): Promise<Record<string, unknown>>;
  close(): Promise<void>;
}

export const WEBHOOK_SECRET = 'whsec_test_of_boxes';
let people = 5000;

/** `webhooks`: Stripe tells the control plane what happens, as it does outside of tests. */
export async function createBoxWorld(
  env: Record<string, string> = {},
  { webhooks = false }: { webhooks?: boolean } = {},
): Promise<BoxWorld> {
  const database = await createTestDatabase();
  const github = await createGithubServer();
  let now = (): Date => new Date();
  const stripe = await runVendor('stripe', createStripeVendor, { receiverNow: () => now() });
  const mail = await runVendor('mail', createMailVendor);
  const cp = await createTestControlPlane({ ...database, close: async () => {} }, github, {
    ...stripe.vendor.credentials,
    STRIPE_API_URL: stripe.url,
    STRIPE_WEBHOOK_SECRET: WEBHOOK_SECRET,
    SMTP_URL: mail.url,
    ...env,
  });
  now = cp.deps.now;
  const mailer = createMailer(cp.deps.config);
  if (webhooks)
    await stripeControl(
      stripe,
      'webhook',
      { url: `${cp.url}/api/subscription/webhook`, secret: WEBHOOK_SECRET },
      'PUT',
    );
  const engine = createScriptedEngine();
  const workers = new Set<Worker>();

  const world: BoxWorld = {
    database,
    cp,
    github,
    stripe,
    engine,
    advance(seconds) {
      cp.advance(seconds);
      stripe.clock.advance(seconds * 1000);
    },
    mails: async (to) =>
      ((await mail.vendor.mails?.()) ?? []).filter((one) => to === undefined || one.to.includes(to)).toReversed(),
    async work() {
      const deps = {
        ...cp.deps,
        // What recurs would turn up in whichever test runs at that minute of the hour.
        boss: createBoss(cp.deps.config, 'worker', { schedule: false }),
        engine,
        mailer,
        buildSpec: (box: UserVpsRow, { bootToken, version }: BuildSpecOptions = {}) =>
          buildBoxSpec(cp.deps, box, { bootToken, ...(version ? { release: { version, sha256: {} } } : {}) }),
      };
      const worker = await startWorker(deps);
      workers.add(worker);
      return {
        async stop() {
          workers.delete(worker);
          await worker.stop();
        },
      };
    },
    async pay(plan = 'basic') {
      const browser = new Browser(cp.url);
      const answer = await browser.post('/api/subscription/create', { plan });
      const sessionId = /cs_[A-Za-z0-9_]+/.exec(answer.location ?? '')?.[0];
      if (sessionId === undefined) throw new Error(`no way to pay: ${answer.status} ${answer.text}`);
      await stripeControl(stripe, `checkout/${sessionId}/pay`);
      return { browser, sessionId };
    },
    async becomeReady(login) {
      const { browser, sessionId } = await world.pay();
      await browser.get(`/welcome?session_id=${sessionId}`);
      people += 1;
      github.script.person = { ...github.script.person, id: people, login };
      const begun = await browser.get('/auth/github');
      await browser.get(github.decide(begun.location ?? ''));
      await browser.post('/setup/password', { password: GOOD_PASSWORD, time_zone: 'Europe/Berlin' });
      const user = await database.db('users').where('github_id', String(people)).first('id');
      return { browser, userId: String(user.id) };
    },
    waitForBox: (userId, accept) =>
      waitFor(`the box of ${userId}`, async () => {
        const box = await database.db('user_vps').where('user_id', userId).first();
        return box !== undefined && accept(box) ? (box as Record<string, unknown>) : undefined;
      }),
    async stopWorkers() {
      for (const worker of workers) await worker.stop();
      workers.clear();
    },
    async close() {
      await world.stopWorkers();
      await cp.close();
      await stripe.close();
      mailer?.close();
      await mail.close();
      await github.close();
      await database.close();
    },
  };
  return world;
}

/** What only a sandboxed Stripe can do. */
export async function stripeControl(
  stripe: RunningVendor,
  path: string,
  body: unknown = {},
  method: 'POST' | 'PUT' = 'POST',
): Promise<unknown> {
  const response = await fetch(`${stripe.url}/_sandbox/${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response.status === 204 ? undefined : response.json();
}
