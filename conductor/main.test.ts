import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { ASK_LIMITS, BoxHealth, BoxStatus } from '../contract/conductor.ts';
import { askAll, openAsk, readConversation, send } from './testing/client.ts';
import { compileConductor, formatConfig, runConductor } from './testing/compiled.ts';
import type { ConductorProcess } from './testing/compiled.ts';
import { startControlPlane } from './testing/control-plane.ts';
import type { TestControlPlane } from './testing/control-plane.ts';
import {
  beginAnthropic,
  endAnthropic,
  sayAnthropic,
  speakAnthropic,
  startModelServer,
} from './testing/model-server.ts';
import type { TestModelServer } from './testing/model-server.ts';
import { TEST_API_KEY } from './testing/start-conductor.ts';
import { HOSTNAME, signToken } from './testing/tokens.ts';
import { waitUntil } from './testing/wait-until.ts';
import { VERSION } from './version.ts';

interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

describe('the compiled conductor', () => {
  let executable: string;
  let dir: string;
  let plane: TestControlPlane;
  let model: TestModelServer;
  let conductor: ConductorProcess | undefined;

  before(async () => {
    executable = await compileConductor('main');
    plane = await startControlPlane();
  });
  after(() => plane.close());
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'main-'));
    model = await startModelServer();
  });
  afterEach(async () => {
    await conductor?.close();
    conductor = undefined;
    await model.close();
    plane.failure = undefined;
    await rm(dir, { recursive: true, force: true });
  });

  async function start(modelUrl = model.url): Promise<ConductorProcess> {
    const config = formatConfig({ jwksUrl: plane.jwksUrl, modelUrl });
    conductor = await runConductor([executable], config, { ANTHROPIC_API_KEY: TEST_API_KEY }, dir);
    return conductor;
  }

  async function authorize(): Promise<{ authorization: string }> {
    return { authorization: `Bearer ${await signToken(plane.key)}` };
  }

  function runToEnd(args: string[]): Promise<Ended> {
    return new Promise((resolve) => {
      execFile(executable, args, { env: {} }, (error, stdout, stderr) => {
        resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr });
      });
    });
  }

  it('says its version and its flags', async () => {
    expect(await runToEnd(['--version'])).to.deep.equal({ code: 0, stdout: `conductor ${VERSION}\n`, stderr: '' });
    const help = await runToEnd(['--help']);
    expect([help.code, help.stderr]).to.deep.equal([0, '']);
    for (const flag of ['--config', '--socket', '--port', '--state', '--version', '--help']) {
      expect(help.stdout).to.include(flag);
    }
  });

  it('names every fault of its configuration and ends with 64', async () => {
    await writeFile(join(dir, 'bad.toml'), '[auth]\nowner_id = "alice"\nhostname = "alice.spoq.dev"\n');
    expect(await runToEnd(['--config', join(dir, 'bad.toml'), '--port', 'x'])).to.deep.equal({
      code: 64,
      stdout: '',
      stderr:
        `conductor: The configuration in ${join(dir, 'bad.toml')} is not valid: --port: must be a number from 0 to 65535; ` +
        'auth.owner_id: Invalid UUID; auth.issuer: Invalid input: expected string, received undefined. ' +
        'Correct what is named and start again.\n',
    });
  });

  it('says which file it cannot read and which flag it does not know', async () => {
    const missing = await runToEnd(['--config', join(dir, 'none.toml')]);
    expect([missing.code, missing.stdout]).to.deep.equal([64, '']);
    expect(missing.stderr).to.match(/^conductor: The configuration cannot be read: --config: .*none\.toml.*\n$/);
    for (const [args, said] of [
      [['fly'], "There is no command 'fly'"],
      [['check', 'me'], "There is no command 'check me'"],
      [['--grace', '1.5'], '--grace must be a number of seconds from 0 to 3600'],
      [['check', '--wait', '9999'], '--wait must be a number of seconds from 0 to 3600'],
    ] as const) {
      expect(await runToEnd([...args])).to.deep.equal({
        code: 64,
        stdout: '',
        stderr: `conductor: The arguments are not valid: arguments: ${said}. See conductor --help.\n`,
      });
    }
    const unknown = await runToEnd(['--verbose']);
    expect([unknown.code, unknown.stdout]).to.deep.equal([64, '']);
    expect(unknown.stderr).to.match(
      /^conductor: The arguments are not valid: arguments: .*--verbose.* See conductor --help\.\n$/s,
    );
  });

  it('answers on both listeners, streaming, and logs JSON lines without content', async () => {
    const { promise: heard, resolve: hear } = Promise.withResolvers<void>();
    model.speak = async (res) => {
      beginAnthropic(res);
      speakAnthropic(res, 'planted-first');
      await heard;
      endAnthropic(res);
    };
    const { local, remote, stop, stderr, startMs } = await start();
    expect(startMs).to.be.below(5000);
    const headers = await authorize();
    expect(BoxHealth.parse((await send(remote, { path: '/health' })).json)).to.deep.equal({
      status: 'ok',
      version: VERSION,
    });
    const status = BoxStatus.parse((await send(local, { path: '/api/status' })).json);
    expect(status).to.deep.include({ hostname: HOSTNAME, version: VERSION, model: 'claude-sonnet-5-5', running: 0 });
    expect(status.memory.free_bytes).to.be.within(1, status.memory.total_bytes);
    expect(status.disk.free_bytes).to.be.within(1, status.disk.total_bytes);

    const stream = await openAsk(remote, { question: 'planted-question' }, headers);
    expect((await stream.next())?.event).to.equal('start');
    expect((await stream.next())?.data).to.deep.equal({ type: 'text', text: 'planted-first' });
    hear();
    expect((await stream.next())?.event).to.equal('done');
    expect(await stop()).to.equal(0);
    const lines = stderr()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { msg: string });
    expect(lines.map(({ msg }) => msg).toSorted()).to.deep.equal([
      'answer',
      'listening',
      'request',
      'request',
      'request',
      'stopped',
      'stopping',
    ]);
    expect(stderr()).not.to.include('planted');
    expect(stderr()).not.to.include(headers.authorization.slice(7));
    expect(stderr()).not.to.include(TEST_API_KEY);
  });

  it('ends the call of the model when it is told to, and when it stops', async () => {
    model.speak = (res) => beginAnthropic(res);
    const { remote, local, stop } = await start();
    const headers = await authorize();
    const stream = await openAsk(remote, { question: 'Why?' }, headers);
    const conversation = await readConversation(stream);
    await waitUntil('the model is asked', () => model.calls.length === 1);
    await send(remote, { method: 'POST', path: `/api/conversations/${conversation}/interrupt`, headers });
    await waitUntil('the call is dropped', () => model.calls[0]?.dropped === true);
    expect((await stream.next())?.data).to.deep.include({ type: 'error', code: 'cancelled' });
    await openAsk(local, { question: 'And?', conversation });
    await waitUntil('the model is asked again', () => model.calls.length === 2);
    await stop();
    await waitUntil('the other call is dropped', () => model.calls[1]?.dropped === true);
  });

  it('has lost nothing that anybody has seen when it is killed, and says that it was cut off', async () => {
    model.speak = async (res) => {
      beginAnthropic(res);
      for (let word = 1; !res.destroyed; word += 1) {
        speakAnthropic(res, ` ${word}`);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    };
    const first = await start();
    const request = randomUUID();
    const stream = await openAsk(first.local, { question: 'Why?', request });
    const seen: unknown[] = [];
    while (seen.length < 15) seen.push(await stream.next());
    await first.stop('SIGKILL');
    const second = await start();
    const again = await openAsk(second.local, { question: 'Why?', request });
    const events: unknown[] = [];
    for (let event = await again.next(); event !== undefined; event = await again.next()) events.push(event);
    expect(events.slice(0, 15)).to.deep.equal(seen);
    expect(events.length).to.be.at.least(16);
    expect(events.at(-1)).to.have.property('data').that.deep.includes({ type: 'error', code: 'turn_interrupted' });
    expect(model.calls.length).to.equal(1);
  });

  it('tells what the model provider does wrong, as in the other tests', async () => {
    const { local } = await start();
    model.speak = (res, { path }) => {
      if (path === '/elsewhere') sayAnthropic(res, ['Hello']);
      else res.writeHead(307, { location: '/elsewhere' }).end();
    };
    expect((await askAll(local, { question: 'Why?' })).at(-1)).to.deep.include({ code: 'model_failed' });
    model.speak = (res) => {
      beginAnthropic(res);
      speakAnthropic(res, 'Hel');
      setImmediate(() => res.destroy());
    };
    expect((await askAll(local, { question: 'Why?' })).at(-1)).to.deep.include({ code: 'model_failed' });
    await model.close();
    const [, unreachable] = await askAll(local, { question: 'Why?' });
    expect(unreachable).to.deep.include({ code: 'model_failed', detail: 'The model provider could not be reached.' });
    model = await startModelServer();
  });

  it('says which services it cannot reach, until it does', async () => {
    const { local } = await start('http://models.invalid');
    const unreachable = async (): Promise<unknown> =>
      BoxStatus.parse((await send(local, { path: '/api/status' })).json).unreachable;
    expect(await unreachable()).to.deep.equal([]);
    const reason = 'The model provider could not be reached: its name could not be looked up.';
    expect((await askAll(local, { question: 'Why?' })).at(-1)).to.deep.include({
      code: 'model_failed',
      detail: reason,
    });
    expect(await unreachable()).to.have.nested.property('[0].reason', reason);
  });

  it('refuses a body that is too large, and takes the largest', async () => {
    const { local } = await start();
    const ask = { method: 'POST', path: '/api/ask' };
    const body = JSON.stringify({ question: 'Why?' });
    expect((await send(local, { ...ask, body: body.padEnd(ASK_LIMITS.body_bytes + 1) })).status).to.equal(413);
    expect((await send(local, { ...ask, body: body.padEnd(ASK_LIMITS.body_bytes) })).status).to.equal(200);
  });

  it('lets its owner in after being killed and restarted while the control plane is down', async () => {
    const first = await start();
    expect((await send(first.remote, { path: '/api/status', headers: await authorize() })).status).to.equal(200);
    await first.stop('SIGKILL');
    plane.failure = { status: 503, body: '' };
    const second = await start();
    expect((await send(second.remote, { path: '/api/status', headers: await authorize() })).status).to.equal(200);
  });

  it('refuses to start twice, and the first one goes on', async () => {
    const { remote } = await start();
    const flags = ['--config', join(dir, 'config.toml'), '--socket', remote.socketPath, '--state', dir];
    expect(await runToEnd(flags)).to.deep.equal({
      code: 1,
      stdout: '',
      stderr: `conductor: Another conductor is listening on ${remote.socketPath}. Stop it first, or give another path with --socket.\n`,
    });
    expect((await send(remote, { path: '/health' })).status).to.equal(200);
  });

  it('refuses what comes while an answer ends, on both ways in', async () => {
    const { promise: enough, resolve: go } = Promise.withResolvers<void>();
    model.speak = async (res) => {
      await enough;
      sayAnthropic(res, ['Hello']);
    };
    const { local, remote, stop, stderr } = await start();
    const stream = await openAsk(remote, { question: 'Why?' }, await authorize());
    await stream.next();
    const ended = stop();
    await waitUntil('it is stopping', () => stderr().includes('"stopping"'));
    const ask = { method: 'POST', path: '/api/ask', body: { question: 'Why?' } };
    for (const refused of [await send(local, ask), await send(remote, { ...ask, headers: await authorize() })]) {
      expect(refused.status).to.equal(503);
      expect(refused.headers['retry-after']).to.equal('5');
      expect(refused.json).to.deep.include({ code: 'box_restarting' });
    }
    expect((await send(remote, ask)).status).to.equal(403);
    go();
    expect((await stream.next())?.data).to.deep.equal({ type: 'text', text: 'Hello' });
    expect((await stream.next())?.event).to.equal('done');
    expect(await ended).to.equal(0);
  });

  describe('check', () => {
    const check = (socketPath: string, port: number, ...more: string[]): Promise<Ended> =>
      runToEnd([
        'check',
        '--config',
        join(dir, 'config.toml'),
        '--socket',
        socketPath,
        '--port',
        String(port),
        ...more,
      ]);

    it('says which version answers, on both ways in', async () => {
      const { local, remote } = await start();
      expect(await check(remote.socketPath, local.port)).to.deep.equal({
        code: 0,
        stdout: `conductor ${VERSION} answers on 127.0.0.1:${local.port} and ${remote.socketPath}\n`,
        stderr: '',
      });
    });

    it('fails when one of them does not answer, or something else does', async () => {
      const { local, remote } = await start();
      const gone = join(dir, 'gone.sock');
      const next = 'Its log says why: journalctl -u conductor';
      expect(await check(gone, local.port, '--wait', '0')).to.deep.equal({
        code: 69,
        stdout: '',
        stderr: `conductor: The conductor does not answer: ${gone}: ENOENT. ${next}\n`,
      });
      const { port } = new URL(plane.jwksUrl);
      expect((await check(remote.socketPath, Number(port), '--wait', '0')).stderr).to.equal(
        `conductor: The conductor does not answer: 127.0.0.1:${port}: something else answers there. ${next}\n`,
      );
    });

    it('waits for one that is still starting', async () => {
      const { local, remote } = await start();
      const late = join(dir, 'late.sock');
      const waiting = check(late, local.port);
      await symlink(remote.socketPath, late);
      expect((await waiting).code).to.equal(0);
    });
  });

  it('lets an answer end when told to stop', async () => {
    const { promise: enough, resolve: go } = Promise.withResolvers<void>();
    model.speak = async (res) => {
      await enough;
      sayAnthropic(res, ['Hello']);
    };
    const { local, stop, stderr } = await start();
    const stream = await openAsk(local, { question: 'Why?' });
    await stream.next();
    const ended = stop('SIGINT');
    await waitUntil('it is stopping', () => stderr().includes('"stopping"'));
    go();
    expect((await stream.next())?.data).to.deep.equal({ type: 'text', text: 'Hello' });
    expect((await stream.next())?.event).to.equal('done');
    expect(await ended).to.equal(0);
  });

  it('ends within ten seconds even if the model does not, and tells who is reading', async () => {
    model.speak = (res) => beginAnthropic(res);
    const { local, stop } = await start();
    const stream = await openAsk(local, { question: 'Why?' });
    await stream.next();
    const started = performance.now();
    const ended = stop();
    expect((await stream.next())?.data).to.deep.include({ type: 'error', code: 'box_restarting' });
    expect(await stream.next()).to.equal(undefined);
    expect(await ended).to.equal(0);
    expect(performance.now() - started).to.be.below(10_000);
  });
});
