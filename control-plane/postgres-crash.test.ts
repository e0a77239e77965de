import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { waitFor } from '../test/harness/wait.ts';
import { findFreePort } from '../tools/ports.ts';
import { startPostgres, type Postgres } from '../tools/postgres.ts';
import { verifyAudit } from './commands/audit.ts';
import { connectDb, migrate, type Db } from './db/connect.ts';
import { installQueues } from './jobs/queues.ts';
import type { Browser } from './testing/browser.ts';
import { createTestControlPlane, type TestControlPlane } from './testing/control-plane.ts';
import { Device } from './testing/device.ts';
import { createGithubServer, type GithubServer } from './testing/github-server.ts';

const DEVICES = 8;
const ROUNDS = 25;

describe('Postgres crashes under load', function () {
  this.timeout(90_000);
  let folder: string;
  let start: () => Promise<Postgres>;
  let postgres: Postgres;
  let db: Db;
  let github: GithubServer;
  let plane: TestControlPlane;
  let browser: Browser;

  before(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'spoq-crash-'));
    chmodSync(folder, 0o755); // under root the server is another account, which has to get in
    const port = await findFreePort();
    const password = randomBytes(12).toString('hex');
    // Durable, unlike those of other tests: what it has answered must be there after the crash.
    start = () =>
      startPostgres({
        dataDir: path.join(folder, 'data'),
        port,
        password,
        logFile: path.join(folder, 'log'),
        env: process.env,
      });
    postgres = await start();
    const url = postgres.url('postgres');
    db = connectDb(url, 10);
    await migrate(db, () => installQueues(url));
    github = await createGithubServer();
    plane = await createTestControlPlane({ url, db, backendUrl: url, close: async () => {} }, github);
    browser = await plane.signIn();
    const user = await db('users').first('id');
    await plane.createBox(user.id);
  });
  after(async () => {
    await plane?.close();
    await github?.close();
    await db?.destroy();
    await postgres?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it('is answered 503 with Retry-After meanwhile; afterwards nothing is half done, and what was promised is there', async () => {
    const answers: Record<string, number> = {};
    let refusedSince = 0;
    /** Asks until it is answered otherwise than 503, as `spoq` and a person would. */
    async function insist<T extends { status: number; headers: Headers }>(what: string, ask: () => Promise<T>) {
      for (let tries = 0; ; tries += 1) {
        const answer = await ask();
        const retry = answer.headers.get('retry-after');
        const key = `${what} ${answer.status}${answer.status === 503 ? ` ${retry}` : ''}`;
        answers[key] = (answers[key] ?? 0) + 1;
        if (answer.status !== 503) return { answer, isFirst: tries === 0 };
        refusedSince += 1;
      }
    }
    const device = new Device(plane.url);
    const form = (fields: Record<string, string>) => ({ client_id: 'spoq-cli', ...fields });
    /** The tokens that were promised last, by device. */
    const kept: string[] = [];
    async function signIn(number: number): Promise<string> {
      for (;;) {
        const label = `device-${number}`;
        const begun = await insist('begin', () =>
          device.post<{ device_code: string; user_code: string }>('/auth/device', form({ hostname: label })),
        );
        const { device_code: code, user_code: words } = begun.answer.body;
        const decided = await insist('approve', () =>
          browser.post('/auth/authorize', { code: words, decision: 'approve' }),
        );
        const polled = await insist('poll', () => device.poll(code));
        if (polled.answer.status === 200) return polled.answer.body.refresh_token;
        // Its tokens, or the word that it was approved, went under with an answer: committed once, told never.
        expect(polled.isFirst && decided.isFirst, JSON.stringify(polled.answer.body)).to.equal(false);
      }
    }
    let rounds = 0;
    async function live(number: number): Promise<void> {
      kept[number] = await signIn(number);
      for (let round = 0; round < ROUNDS || refusedSince === 0; round += 1) {
        const { answer } = await insist('refresh', () => device.refresh(kept[number] ?? ''));
        expect(answer.status, JSON.stringify(answer.body)).to.equal(200);
        kept[number] = answer.body.refresh_token;
        rounds += 1;
      }
    }
    const living = Promise.all(Array.from({ length: DEVICES }, (_, number) => live(number)));
    const crash = async (): Promise<void> => {
      await waitFor('all to be at it', () => rounds > 2 * DEVICES);
      // What `pg_ctl stop -m immediate` sends: no goodbye, no checkpoint, recovery at the next start.
      process.kill(postgres.pid, 'SIGQUIT');
      await postgres.ended;
      await waitFor('everybody to be refused', () => refusedSince > DEVICES);
      postgres = await start();
    };
    await Promise.all([living, crash()]);

    const statuses = Object.keys(answers).map((key) => key.split(' ').slice(1).join(' '));
    expect(
      statuses.filter((status) => !/^(200|400|404|503 5)$/.test(status)),
      JSON.stringify(answers),
    ).to.deep.equal([]);
    expect(statuses).to.include('503 5');
    expect(plane.logs.filter((line) => line.includes('unexpected error'))).to.deep.equal([]);
    expect(await verifyAudit(db)).to.include({ ok: true });
    // A grant and its tokens, and the line that says so, are there together or not at all.
    const count = async (query: Promise<{ count?: unknown }[]>) => Number((await query)[0]?.count);
    const used = await count(db('device_grants').where('status', 'used').count());
    const families = await count(db('refresh_tokens').countDistinct({ count: 'family_id' }));
    const signedIn = await count(db('audit_log').where('action', 'device.signed_in').count());
    expect({ used, signedIn }).to.deep.equal({ used: families, signedIn: families });
    const leaves = await db('refresh_tokens')
      .whereNull('used_at')
      .whereNull('revoked_at')
      .groupBy('family_id')
      .select(db.raw('count(*)::int'));
    expect(leaves.map(({ count: living_leaves }) => living_leaves)).to.deep.equal(leaves.map(() => 1));
    for (const token of kept) expect((await device.refresh(token)).status).to.equal(200);
  });
});
