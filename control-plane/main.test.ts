import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect } from 'chai';
import { createTestDatabase, type TestDatabase } from '../test/harness/database.ts';
import { waitFor } from '../test/harness/wait.ts';
import { createTestEnvironment } from './testing/environment.ts';

const MAIN = join(import.meta.dirname, 'main.ts');

describe('the processes of the control plane', function () {
  this.timeout(60_000);
  let database: TestDatabase;
  before(async () => {
    database = await createTestDatabase();
  });
  after(() => database.close());

  const environment = (): Record<string, string> => ({
    PATH: process.env['PATH'] ?? '',
    ...createTestEnvironment(database.url),
    SERVER_HOST: '127.0.0.1',
    SERVER_PORT: '0',
    METRICS_PORT: '0',
    LOG_LEVEL: 'warn',
  });

  function start(args: string[], env: Record<string, string>) {
    const child = spawn(process.execPath, [MAIN, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    const say = async (msg: string): Promise<Record<string, string>> => {
      for (;;) {
        const { value, done } = await lines.next();
        if (done === true) throw new Error(`ended without saying ${msg}: ${stderr}`);
        const line = JSON.parse(value) as Record<string, string>;
        if (line['msg'] === msg) return line;
      }
    };
    return { child, say, stderr: () => stderr };
  }
  const end = async (child: ChildProcess): Promise<unknown> => {
    const [code] = child.exitCode === null ? await once(child, 'exit') : [child.exitCode];
    return code;
  };

  it('names every fault of the configuration at once, and no value', async () => {
    const { child, stderr } = start(['web'], { PATH: process.env['PATH'] ?? '', BASE_URL: 'gopher://secret-value' });
    expect(await end(child)).to.equal(78);
    for (const name of ['BASE_URL', 'DATABASE_URL', 'STRIPE_SECRET_KEY', 'CLOUDFLARE_ZONE_ID', 'ANTHROPIC_API_KEY'])
      expect(stderr()).to.contain(name);
    expect(stderr()).not.to.contain('secret-value').and.not.contain(' at ');
  });

  it('says how it is used', async () => {
    const { child, stderr } = start(['dance'], {});
    expect(await end(child)).to.equal(64);
    expect(stderr()).to.contain('web').and.contain('worker').and.contain('migrate');
  });

  it('migrates from several processes at once, also after one that died at it', async () => {
    await database.db('migrations_lock').update({ is_locked: 1 });
    const all = [1, 2, 3].map(() => start(['migrate'], environment()));
    const codes = await Promise.all(all.map(({ child }) => end(child)));
    expect(codes, all.map(({ stderr }) => stderr()).join('\n')).to.deep.equal([0, 0, 0]);
  });

  it('listens, answers, and ends on SIGTERM', async () => {
    const web = start(['web'], environment());
    const { url } = await web.say('listening');
    const ready = await fetch(`${url}/ready`);
    expect([ready.status, await ready.json()]).to.deep.equal([200, { status: 'ready' }]);
    expect(await (await fetch(`${url}/`, { headers: { accept: 'text/html' } })).text()).to.contain('<h1>');
    web.child.kill('SIGTERM');
    expect(await end(web.child), web.stderr()).to.equal(0);
  });

  it('answers the 20 requests that are open at SIGTERM, says no at /ready first, and ends within ten seconds', async () => {
    const web = start(['web'], { ...environment(), DRAIN_SECONDS: '5' });
    const { url } = await web.say('listening');
    // Nobody's grant can be written down meanwhile.
    const held = await database.db.transaction();
    await held.raw('LOCK TABLE device_grants');
    const body = 'client_id=spoq-cli';
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const open = Array.from({ length: 20 }, () => fetch(`${url}/auth/device`, { method: 'POST', body, headers }));
    let began = 0;
    try {
      await waitFor(
        'all to wait',
        async () => {
          const waiting = await database
            .db('pg_stat_activity')
            .where({ wait_event_type: 'Lock', datname: database.db.raw('current_database()') })
            .count();
          const count = Number(waiting[0]?.['count']);
          if (count < open.length) throw new Error(`${count} wait. ${web.stderr()}`);
          return true;
        },
        15_000,
      );
      began = performance.now();
      web.child.kill('SIGTERM');
      // One that came before the signal waits for a connection, of which there is none.
      const ready = (): Promise<Response> => fetch(`${url}/ready`, { signal: AbortSignal.timeout(500) });
      await waitFor('/ready to say no', async () => (await ready()).status === 503);
      const late = await fetch(`${url}/health`);
      expect([late.status, late.headers.get('connection')], 'whoever comes meanwhile').to.deep.equal([200, 'close']);
    } finally {
      await held.rollback();
      // Where it was never asked to end; a second signal would cut what is open.
      if (began === 0) web.child.kill('SIGTERM');
    }
    expect((await Promise.all(open)).map(({ status }) => status)).to.deep.equal(open.map(() => 200));
    expect(await end(web.child), web.stderr()).to.equal(0);
    expect(performance.now() - began).to.be.within(5_000, 10_000);
  });

  it('works, tells its health and metrics, and ends on SIGTERM', async () => {
    const worker = start(['worker'], environment());
    const { url } = await worker.say('working');
    expect((await fetch(`${url}/health`)).status).to.equal(200);
    expect((await fetch(`${url}/ready`)).status).to.equal(200);
    expect(await (await fetch(`${url}/metrics`)).text()).to.contain('spoq_boxes{status="ready"} 0');
    worker.child.kill('SIGTERM');
    expect(await end(worker.child), worker.stderr()).to.equal(0);
  });

  it('ends with a reason when its port is taken', async () => {
    const first = start(['web'], environment());
    const { url = '' } = await first.say('listening');
    const second = start(['web'], { ...environment(), SERVER_PORT: new URL(url).port });
    expect(await end(second.child)).to.equal(70);
    expect(second.stderr()).to.contain('EADDRINUSE');
    first.child.kill('SIGINT');
    expect(await end(first.child)).to.equal(0);
  });
});
