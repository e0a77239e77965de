import { expect } from 'chai';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createTestDatabase, type TestDatabase } from '../../test/harness/database.ts';
import { installQueues } from '../jobs/queues.ts';
import { createTestEnvironment } from '../testing/environment.ts';
import { makeRelease, makeReleaseKey } from '../testing/releases.ts';
import { runOperator } from './run-operator.ts';

describe('operator rollout', function () {
  this.timeout(60_000);
  let database: TestDatabase;
  let env: Record<string, string>;
  const folder = mkdtempSync(join(tmpdir(), 'spoq-releases-'));
  const releases = join(folder, 'releases');
  const key = makeReleaseKey(folder);
  before(async () => {
    database = await createTestDatabase();
    await installQueues(database.url);
    env = {
      ...createTestEnvironment(database.url),
      RELEASES_DIR: releases,
      RELEASES_PUBLIC_KEY: key.publicKey.text,
      LOG_LEVEL: 'silent',
    };
    await writeRelease('1.2.0', '1.2.0');
    await writeRelease('', '1.3.0');
    for (let index = 1; index <= 10; index += 1) await createBox(index, 'ready');
    await createBox(11, 'failed');
  });
  after(async () => {
    await database?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function writeRelease(folder: string, version: string): Promise<void> {
    const files = { 'conductor-linux-amd64': version, 'spoq-linux-amd64': version };
    await makeRelease(join(releases, folder), { files, key, version });
  }
  async function createBox(index: number, status: string): Promise<void> {
    const id = randomUUID();
    await database.db('users').insert({ id, github_id: id, username: `user${index}` });
    const secrets = { ssh_password_hash: 'x', ssh_password_crypt: 'x', jwt_secret: 'x' };
    const where = { provider: 'contabo', region: 'EU', plan: 'basic', hostname: `user${index}.spoq.localhost` };
    const created_at = new Date(Date.UTC(2026, 0, index));
    await database.db('user_vps').insert({ user_id: id, status, ...where, ...secrets, created_at });
  }

  async function operator(argv: string[], confirm?: () => Promise<boolean>, more: Record<string, string> = {}) {
    const out: string[] = [];
    const said: string[] = [];
    const io = { out: (text: string) => void out.push(text), say: (text: string) => void said.push(text) };
    const signal = new AbortController().signal;
    const code = await runOperator(['rollout', ...argv], { env: { ...env, ...more }, ...io, signal, confirm });
    return { code, out: out.join('\n'), said: said.join('\n') };
  }

  it('explains what it refuses', async () => {
    const cases = [
      [['status'], 1, 'There is nothing here. There has been no rollout yet.'],
      [['stop'], 1, 'This conflicts with what is there. No rollout is running.'],
      [['start'], 64, 'The request is not valid. There is no terminal to ask on.'],
      [['start', '--version', '9.9.9'], 1, 'There is nothing here. RELEASES_DIR has no release 9.9.9.'],
      [['start', '--version', '../1.2.0'], 1, 'There is nothing here. RELEASES_DIR has no release ../1.2.0.'],
      [
        ['start', '--yes', '--max-failures', 'x'],
        64,
        'The request is not valid. --max-failures is a whole number from 1.',
      ],
      [['start', '--yes', '--wave', '1,many'], 64, 'The request is not valid. "many" is no size of a wave.'],
    ] as const;
    for (const [argv, code, line] of cases) {
      const answer = await operator([...argv]);
      expect([answer.code, answer.said.split('\n')[0], answer.out], argv.join(' ')).to.deep.equal([code, line, '']);
    }
    const none = await operator(['start', '--yes'], undefined, { BOX_CONVERGE: 'none' });
    expect([none.code, none.said.includes('have no SSH server')]).to.deep.equal([1, true]);
    expect((await operator(['dance'])).code).to.equal(64);
    expect(await database.db('rollouts')).to.deep.equal([]);
  });

  it('says what it would do and asks, begins, shows and stops', async () => {
    const declined = await operator(['start'], async () => false);
    expect([declined.code, declined.said.split('\n').slice(0, 3)]).to.deep.equal([
      130,
      [
        '1.3.0 goes to 10 boxes in 3 waves: 1, 4, 5.',
        'The first box that fails stops it; a box that fails goes back to what it had.',
        '1 box is not ready, and left alone.',
      ],
    ]);
    const begun = await operator(
      ['start', '--version', '1.2.0', '--wave', '2,50%', '--max-failures', '3'],
      async () => true,
    );
    expect(begun.code, begun.said).to.equal(0);
    expect(begun.said).to.include('1.2.0 goes to 10 boxes in 3 waves: 2, 3, 5.\n3 boxes that fail stop it;');
    const jobs = await database.db('pgboss.job').where('name', 'converge').select('state');
    expect(jobs).to.deep.equal([{ state: 'created' }, { state: 'created' }]);
    await database.db('rollout_boxes').where('position', 1).update({ state: 'failed', reason: 'It was taken back.' });

    const shown = await operator(['status']);
    const [first, ...lines] = shown.out.split('\n');
    expect(first).to.match(/^The rollout of 1\.2\.0, begun \d{4}-.*Z, is going on\.$/);
    expect(lines).to.deep.equal([
      'WAVE  BOXES  WAITING  AT WORK  UPGRADED  FAILED  PASSED OVER',
      '1     2      0        1        0         1       0',
      '2     3      3        0        0         0       0',
      '3     5      5        0        0         0       0',
      'user1.spoq.localhost failed: It was taken back.',
    ]);
    expect((await operator(['start', '--yes'])).said).to.include('The rollout of 1.2.0 is going on.');

    const stopped = JSON.parse((await operator(['stop', '--json'])).out) as Record<string, unknown>;
    expect(stopped).to.deep.include({ version: '1.2.0', state: 'stopped', max_failures: 3 });
    expect((stopped['boxes'] as unknown[]).slice(1, 3)).to.deep.equal([
      {
        ...(stopped['boxes'] as object[])[1],
        hostname: 'user2.spoq.localhost',
        wave: 1,
        state: 'running',
        ended_at: null,
      },
      {
        ...(stopped['boxes'] as object[])[2],
        hostname: 'user3.spoq.localhost',
        wave: 2,
        state: 'waiting',
        reason: null,
      },
    ]);
    expect(await database.db('audit_log').orderBy('id').select('actor', 'action')).to.deep.equal([
      { actor: 'operator', action: 'rollout.started' },
      { actor: 'operator', action: 'rollout.stopped' },
    ]);
  });
});
