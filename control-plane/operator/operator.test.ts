import { expect } from 'chai';
import { execFile, execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createTestDatabase, type TestDatabase } from '../../test/harness/database.ts';
import { loadConfig } from '../config.ts';
import { createEngine } from '../engine/create-engine.ts';
import { createEngineEnvironment } from '../engine/environment.ts';
import { startWorkerProcess } from '../start-worker.ts';
import { createCipher } from '../cipher.ts';
import { createEngineBench, type EngineBench, hasEngine, SECRETS } from '../engine/testing/bench.ts';
import { installQueues } from '../jobs/queues.ts';
import { createJwtSecret } from '../jwt-secret.ts';
import { hashCrypt, sealPasswordCrypt } from '../password/hash.ts';
import { createTestEnvironment } from '../testing/environment.ts';
import { runOperator } from './run-operator.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

describe('operator', function () {
  this.timeout(120_000);
  let bench: EngineBench;
  let database: TestDatabase;
  let env: Record<string, string>;
  const leftovers: string[] = [];

  before(async function () {
    if (!hasEngine()) return this.skip();
    [bench, database] = await Promise.all([createEngineBench(), createTestDatabase()]);
    const { HOME = '', PATH = '', PULUMI_HOME = '' } = bench.env;
    env = {
      ...createTestEnvironment(database.url),
      ...bench.sandbox.credentials,
      HOME,
      PATH,
      PULUMI_HOME,
      PULUMI_BACKEND_URL: database.backendUrl,
      PULUMI_CONFIG_PASSPHRASE: SECRETS.passphrase,
      BASE_URL: 'http://127.0.0.1:9',
      GITHUB_CLIENT_SECRET: 'planted-github-secret',
      STRIPE_SECRET_KEY: 'sk_test_planted',
      STRIPE_WEBHOOK_SECRET: 'whsec_planted',
      ANTHROPIC_API_KEY: SECRETS.anthropic,
      PROVISION_POLL_MS: '20',
      PROVISION_DEADLINE_SECONDS: '20',
    };
  });
  after(async () => {
    for (const file of leftovers) await rm(file, { force: true });
    await bench?.close();
    await database?.close();
  });

  /** Somebody with a box that a worker could have made. */
  async function createBox(username: string, status = 'ready'): Promise<{ id: string; hostname: string }> {
    const cipher = createCipher(env['ENCRYPTION_KEY'] ?? '');
    const [user] = await database.db('users').insert({ github_id: randomUUID(), username }, ['id']);
    const id = randomUUID();
    const hostname = `${username}.spoq.localhost`;
    await database.db('user_vps').insert({
      id,
      user_id: user.id,
      provider: 'contabo',
      hostname,
      region: 'EU',
      plan: 'basic',
      status,
      ssh_password_hash: 'argon2',
      ssh_password_crypt: sealPasswordCrypt(cipher, user.id, hashCrypt('correct-horse-9!')),
      jwt_secret: createJwtSecret(cipher, id),
    });
    return { id, hostname };
  }

  interface Answer {
    code: number;
    out: string;
    said: string;
  }

  async function operator(
    argv: string[],
    extra: { confirm?: () => Promise<boolean>; env?: Record<string, string>; signal?: AbortSignal } = {},
  ): Promise<Answer> {
    const out: string[] = [];
    const said: string[] = [];
    const io = {
      out: (text: string) => void out.push(text),
      say: (text: string) => void said.push(text),
      signal: extra.signal ?? new AbortController().signal,
    };
    const code = await runOperator(argv, {
      env: extra.env ?? env,
      ...io,
      ...(extra.confirm ? { confirm: extra.confirm } : {}),
    });
    return { code, out: out.join('\n'), said: said.join('\n') };
  }

  it('lets collection be resumed when it makes a box that had failed', async () => {
    await installQueues(database.url);
    const { id } = await createBox('frank', 'failed');
    const up = await operator(['up', 'frank', '--yes']);
    expect(up.code, up.said).to.equal(0);
    expect((await database.db('user_vps').where('id', id).first()).status).to.equal('ready');
    expect(await database.db('pgboss.job').select('name', 'state', 'data')).to.deep.equal([
      { name: 'bill', state: 'created', data: { user_vps_id: id } },
    ]);
    expect(await database.db('boot_tokens'), 'what it reported with').to.deep.equal([]);
    expect((await operator(['destroy', 'frank', '--yes'])).code).to.equal(0);
  });

  it('walks a box from preview to destroy', async () => {
    const { id, hostname } = await createBox('alice');
    const list = JSON.parse((await operator(['list', '--json'])).out) as { hostname: string }[];
    expect(list.map((box) => box.hostname)).to.deep.equal([hostname]);
    expect((await operator(['list'])).out).to.match(/alice +alice\.spoq\.localhost +ready +contabo +EU/);
    expect((await operator(['preview', 'alice'])).out.split('\n')).to.include(
      'The machine (box-instance) would be made.',
    );

    const refused = await operator(['up', 'alice']);
    expect([refused.code, refused.said]).to.deep.equal([
      64,
      'The request is not valid. There is no terminal to ask on.\nLook at the preview, then add --yes.',
    ]);
    const declined = await operator(['up', 'alice'], { confirm: async () => false });
    expect([declined.code, declined.said.includes('would be made')]).to.deep.equal([130, true]);

    const up = await operator(['up', 'alice', '--yes', '--json']);
    expect(up.code, up.said).to.equal(0);
    const outputs = JSON.parse(up.out) as Record<string, string>;
    expect(up.said).to.include('machine  ...     Contabo: running');
    const row = await database.db('user_vps').where('id', id).first();
    expect(row).to.deep.include({
      status: 'ready',
      ip_address: outputs['ip_address'],
      provider_instance_id: outputs['provider_instance_id'],
    });
    for (const who of [hostname, id, `box-${id}`, String(row.user_id), 'ALICE'])
      expect(JSON.parse((await operator(['outputs', who, '--json'])).out), who).to.deep.equal(outputs);
    expect((await operator(['preview', 'alice'])).out).to.equal(
      `Nothing would change: ${hostname} is as it should be.`,
    );
    expect((await operator(['refresh', 'alice'])).code).to.equal(0);
    expect((await operator(['preview', 'alice', '--destroy'])).out).to.include(
      `Lost: everything on the disk of ${hostname}.`,
    );

    const destroyed = await operator(['destroy', 'alice', '--yes']);
    expect(destroyed.code, destroyed.said).to.equal(0);
    expect(destroyed.out).to.match(/^contabo \d+: wiped, paid until \d{4}-\d\d-\d\d\.$/);
    expect((await database.db('user_vps').where('id', id).first()).status).to.equal('terminated');
    expect(await database.db('machines').where('user_vps_id', id).select('status')).to.deep.equal([
      { status: 'released' },
    ]);
    expect(await bench.listLive(`box-${id}`)).to.deep.equal([]);
  });

  it('restarts and rebuilds a box through a worker, after a preview that does nothing', async () => {
    await installQueues(database.url);
    const { id, hostname } = await createBox('dave');
    expect((await operator(['up', 'dave', '--yes'])).code).to.equal(0);
    const lost = `Lost: everything on the disk of ${hostname}.`;
    const preview = await operator(['preview', 'dave', '--rebuild']);
    for (const part of [
      `Contabo wipes ${hostname} and installs it anew`,
      'Kept: Its name, its address',
      'Costs: Nothing.',
      lost,
    ])
      expect(preview.out).to.contain(part);
    expect((await operator(['preview', 'dave', '--restart'])).out).to.contain('(box-instance) would be restarted.');
    const unasked = await operator(['rebuild', 'dave']);
    expect([unasked.code, unasked.said.includes('There is no terminal to ask on.')]).to.deep.equal([64, true]);
    const declined = await operator(['rebuild', 'dave'], { confirm: async () => false });
    expect([declined.code, declined.said.includes(lost)]).to.deep.equal([130, true]);
    const row = () => database.db('user_vps').where('id', id).first();
    expect(await row()).to.deep.include({ operation: null, operation_number: 0 });

    const worker = await startWorkerProcess(
      loadConfig({ ...env, LOG_LEVEL: 'silent' }),
      createEngine({ env: createEngineEnvironment(loadConfig(env), env) }),
    );
    try {
      const { ip_address } = await row();
      const restarted = await operator(['restart', 'dave', '--yes']);
      expect([restarted.code, restarted.out], restarted.said).to.deep.equal([0, `${hostname} is back.`]);
      expect(restarted.said).to.match(/machine +\.\.\. +Contabo: restarting the machine/);
      bench.sandbox.faults.add({
        vendor: 'contabo',
        method: 'PUT',
        path: '/compute/instances/',
        status: 409,
        body: { message: 'Maintenance' },
      });
      const failed = await operator(['rebuild', 'dave', '--yes']);
      expect([failed.code, failed.said.split('\n').slice(-2)]).to.deep.equal([
        1,
        [
          'The engine could not do what was asked. Contabo did not reinstall the machine: Maintenance.',
          'Machine, name and contract are kept. Look at the cause and run it again.',
        ],
      ]);
      expect((await operator(['list'])).out).to.match(/dave +dave\.spoq\.localhost +ready, rebuild failed +contabo/);
      const rebuilt = JSON.parse((await operator(['rebuild', 'dave', '--yes', '--json'])).out);
      expect(rebuilt)
        .to.deep.include({ id, status: 'ready', operation: null, ip_address })
        .and.not.have.property('jwt_secret');
      expect(await database.db('audit_log').orderBy('id').select('actor', 'action')).to.deep.equal([
        { actor: 'operator', action: 'box.restart_requested' },
        { actor: 'system', action: 'box.restart_done' },
        { actor: 'operator', action: 'box.rebuild_requested' },
        { actor: 'system', action: 'box.rebuild_failed' },
        { actor: 'operator', action: 'box.rebuild_requested' },
        { actor: 'system', action: 'box.rebuild_done' },
      ]);
    } finally {
      await worker.close();
    }
    await database.db('user_vps').where('id', id).update({ operation: 'rebuild', operation_failure: 'Maintenance.' });
    expect((await operator(['preview', 'dave'])).out).to.equal(`Nothing would change: ${hostname} is as it should be.`);
    expect((await operator(['up', 'dave', '--yes'])).code).to.equal(0);
    expect(await row(), 'what had failed is made up for').to.deep.include({ operation: null, operation_failure: null });
    await database.db('user_vps').where('id', id).update({ operation: 'restart' });
    const busy = await operator(['up', 'dave', '--yes']);
    expect([busy.code, busy.said.includes('A restart of the box of dave is going on')]).to.deep.equal([1, true]);
    const stop = new AbortController();
    stop.abort();
    expect((await operator(['restart', 'dave', '--yes'], { signal: stop.signal })).said).to.contain(
      'itself goes on in a worker',
    );
    expect((await operator(['destroy', 'dave', '--yes'])).code).to.equal(0);
  });

  it('shows in a bare shell the same change as its own preview', async function () {
    if (!hasLanguageHost()) return this.skip();
    const { id } = await createBox('carol');
    const compare = async (): Promise<Record<string, string>> => {
      const own = JSON.parse((await operator(['preview', 'carol', '--json'])).out) as {
        steps: { resource: string; operation: string }[];
      };
      const fromOperator = Object.fromEntries(own.steps.map(({ resource, operation }) => [resource, operation]));
      const script = `eval "$(node control-plane/operator.ts env)" && exec pulumi preview --json --show-sames --stack box-${id}`;
      const path = `${ROOT}/node_modules/.bin:${env['PATH']}`;
      const { stdout } = await promisify(execFile)('sh', ['-c', script], {
        cwd: ROOT,
        env: { ...env, PATH: path },
        maxBuffer: 1 << 24,
      });
      const { steps } = JSON.parse(stdout) as { steps: { op: string; urn: string }[] };
      const seen = steps.filter(
        ({ op, urn }) => ['same', 'create', 'update', 'replace', 'delete'].includes(op) && urn.includes('::box-'),
      );
      const replaced = new Set(seen.filter(({ op }) => op === 'replace').map(({ urn }) => urn));
      const told = seen.filter(({ op, urn }) => op === 'replace' || !replaced.has(urn));
      expect(Object.fromEntries(told.map(({ urn, op }) => [urn.split('::').at(-1), op]))).to.deep.equal(fromOperator);
      return fromOperator;
    };
    expect((await operator(['up', 'carol', '--yes'])).code).to.equal(0);
    // The engine notes the salt of the stack's passphrase beside Pulumi.yaml; git ignores it.
    leftovers.push(join(ROOT, `Pulumi.box-${id}.yaml`));
    const all = ['box-check', 'box-control-key', 'box-host-key', 'box-instance', 'box-record'];
    expect(await compare()).to.deep.equal(Object.fromEntries(all.map((name) => [name, 'same'])));
    await database.db('user_vps').where('id', id).update({ region: 'UK' });
    expect(await compare()).to.deep.include({ 'box-instance': 'replace', 'box-host-key': 'same' });
    expect((await operator(['destroy', 'carol', '--yes'])).code).to.equal(0);
  });

  it('explains what it refuses', async () => {
    const { id } = await createBox('bob', 'provisioning');
    const busy = await operator(['up', 'bob', '--yes']);
    expect([busy.code, busy.said.split('\n')[0]]).to.deep.equal([
      1,
      'The box is being changed already. The box of bob is provisioning: a worker has it, or nobody may.',
    ]);
    const unmade = await operator(['outputs', 'bob']);
    expect([unmade.code, unmade.said.split('\n')[0]]).to.deep.equal([
      1,
      'The box has no stack. The box of bob has not been made.',
    ]);
    const unknown = await operator(['preview', 'nobody']);
    expect([unknown.code, unknown.said]).to.deep.equal([
      1,
      'You have no box yet. nobody has no box.\nSee `npm run operator -- list --all`.',
    ]);
    expect((await operator(['dance'])).code).to.equal(64);
    expect((await operator(['--help'])).code).to.equal(0);
    const { DATABASE_URL: _, ...incomplete } = env;
    const unset = await operator(['list'], { env: incomplete });
    expect([unset.code, unset.said]).to.deep.equal([78, 'The configuration has 1 fault:\n  DATABASE_URL: is not set']);
    await database.db('user_vps').where('id', id).delete();
  });
});

function hasLanguageHost(): boolean {
  try {
    execFileSync('sh', ['-c', 'command -v pulumi-language-nodejs'], { stdio: 'ignore' });
    return true;
  } catch {
    process.stderr.write('No pulumi-language-nodejs on PATH: the preview from a shell is skipped.\n');
    return false;
  }
}
