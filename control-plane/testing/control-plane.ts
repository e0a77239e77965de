import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { createApp } from '../app.ts';
import { createCipher } from '../cipher.ts';
import { listSecrets, loadConfig } from '../config.ts';
import type { Deps } from '../deps.ts';
import { createBoss } from '../jobs/queues.ts';
import { createStripe } from '../integrations/stripe.ts';
import { createJwtSecret } from '../jwt-secret.ts';
import { createLogger } from '../log.ts';
import { createMetrics } from '../metrics.ts';
import { createPages } from '../pages/pages.ts';
import { Browser } from './browser.ts';
import type { TestDatabase } from '../../test/harness/database.ts';
import { createTestEnvironment } from './environment.ts';
import { GITHUB_CLIENT, type GithubServer } from './github-server.ts';
import { closeServer, listenOnFreePort } from '../../test/harness/listen.ts';

export interface TestControlPlane {
  url: string;
  deps: Deps;
  /** Every line that was logged. */
  logs: string[];
  /** Moves the control plane's clock, not the machine's. */
  advance(seconds: number): void;
  /** A browser that is signed in as the person whom GitHub shows now. */
  signIn(): Promise<Browser>;
  /** A box of that person, as provisioning would have made it. */
  createBox(userId: string, status?: string): Promise<{ id: string; hostname: string; jwt_secret: string }>;
  close(): Promise<void>;
}

/** The web app on a real port, database and GitHub; `env` overrides its configuration. */
export async function createTestControlPlane(
  database: TestDatabase,
  github: GithubServer,
  env: Record<string, string> = {},
): Promise<TestControlPlane> {
  const server = createServer();
  const { url } = await listenOnFreePort(server);
  const config = loadConfig({
    ...createTestEnvironment(database.url),
    BASE_URL: url,
    BOX_URL_TEMPLATE: 'http://{hostname}:4009',
    GITHUB_CLIENT_ID: GITHUB_CLIENT.id,
    GITHUB_CLIENT_SECRET: GITHUB_CLIENT.secret,
    GITHUB_URL: github.url,
    GITHUB_API_URL: github.url,
    LOG_LEVEL: 'debug',
    ...env,
  });
  const logs: string[] = [];
  let offset = 0;
  const deps: Deps = {
    config,
    db: database.db,
    log: createLogger(config.LOG_LEVEL, 'web', { write: (line) => void logs.push(line) }, listSecrets(config)),
    cipher: createCipher(config.ENCRYPTION_KEY.reveal()),
    metrics: createMetrics(),
    pages: createPages(),
    stripe: createStripe(config),
    boss: createBoss(config, 'web'),
    now: () => new Date(Date.now() + offset),
    machineNow: () => new Date(Date.now() + offset),
  };
  deps.boss.on('error', () => {});
  await deps.boss.start();
  server.on('request', createApp(deps).callback());
  return {
    url,
    deps,
    logs,
    advance: (seconds) => void (offset += seconds * 1000),
    async signIn() {
      const browser = new Browser(url);
      const begun = await browser.get('/auth/github');
      await browser.get(github.decide(begun.location ?? ''));
      return browser;
    },
    async createBox(userId, status = 'ready') {
      const [box] = await database.db('user_vps').insert(
        {
          user_id: userId,
          provider: 'contabo',
          hostname: `box-${randomBytes(4).toString('hex')}.spoq.localhost`,
          region: 'EU',
          plan: 'basic',
          status,
          ssh_password_hash: 'argon2',
          ssh_password_crypt: 'crypt',
          jwt_secret: '',
        },
        ['id', 'hostname'],
      );
      const made = { id: String(box.id), hostname: String(box.hostname) };
      const sealed = createJwtSecret(deps.cipher, made.id);
      await database.db('user_vps').where('id', made.id).update({ jwt_secret: sealed });
      return { ...made, jwt_secret: sealed };
    },
    async close() {
      await closeServer(server);
      await deps.boss.stop({ graceful: false });
    },
  };
}
