import { expect } from 'chai';
import { statSync } from 'node:fs';
import path from 'node:path';
import { askAll, openAsk, send } from '../../conductor/testing/client.ts';
import { BoxStatus } from '../../contract/conductor.ts';
import { loadTemplates } from '../../stacks/templates.ts';
import { buildRelease, hostTarget, releaseName } from '../../tools/build-release.ts';
import { bootConductorMachine, CONFIG } from '../harness/conductor-machine.ts';
import type { ConductorMachine } from '../harness/conductor-machine.ts';
import { bootedMachines } from '../harness/machines.ts';
import { waitFor } from '../harness/wait.ts';

const ROOT = path.dirname(path.dirname(import.meta.dirname));
const QUESTION = { question: 'Why?' };

/** Row by row what a box does when something befalls it, in a system that has booted. */
describe('the conductor under systemd', function () {
  this.timeout(100_000);
  let box: ConductorMachine;

  before(async function () {
    this.timeout(10 * 60_000);
    const releases = path.join(ROOT, 'dist', 'release');
    const target = hostTarget();
    await buildRelease(releases, [target], { root: ROOT, env: process.env, onProgress: () => undefined });
    const at = (program: 'conductor' | 'spoq'): string => path.join(releases, releaseName(program, target));
    box = await bootConductorMachine(bootedMachines().tree.root, { conductor: at('conductor'), spoq: at('spoq') });
    await box.surround(true);
  });
  after(async () => box?.close());

  const serves = async (): Promise<boolean> => (await box.get('/api/status'))?.status === 200;
  const isActive = async (unit: string): Promise<string> =>
    (await box.run(['systemctl', 'is-active', unit])).stdout.trim();

  /** Milliseconds until it serves a request with a token. */
  async function timeUntilServing(deadlineMs: number): Promise<number> {
    const began = performance.now();
    await waitFor('the box to serve', serves, deadlineMs);
    return performance.now() - began;
  }

  async function restart(override = ''): Promise<void> {
    await box.override(override);
    await box.systemctl('reset-failed', 'conductor');
    expect(await box.systemctl('restart', 'conductor')).to.equal('0:');
  }

  it('is started when it answers, and not before', async () => {
    expect(await box.systemctl('start', 'conductor')).to.equal('0:');
    expect((await send(box.remote(), { path: '/health' })).status).to.equal(200);
    expect(await box.journal()).to.match(
      /conductor [\d.]+ answers on 127\.0\.0\.1:8080 and \/run\/conductor\/remote\.sock/,
    );
    const events = await askAll(box.remote(), QUESTION, await box.authorize());
    const texts = (events as { type: string; text?: string }[]).filter(({ type }) => type === 'text');
    expect(texts.map(({ text }) => text).join('')).to.equal('first last');
    const { memory, disk, load_average } = BoxStatus.parse((await box.get('/api/status'))?.json);
    for (const { free_bytes, total_bytes } of [memory, disk]) expect(free_bytes).to.be.within(1, total_bytes);
    expect(load_average).to.be.above(0);
  });

  it('is not started when it does not answer', async () => {
    const deaf =
      'ExecStart=\nExecStart=/bin/sleep 1000\nExecStartPost=\nExecStartPost=/usr/local/bin/conductor check --wait 0\n';
    await box.override(`[Service]\n${deaf}NoExecPaths=\nExecPaths=\nRestart=no\n`);
    expect(await box.systemctl('restart', 'conductor')).to.match(/^1: Job for conductor.service failed/);
    expect(await box.journal()).to.include('conductor: The conductor does not answer: 127.0.0.1:8080: ECONNREFUSED.');
    expect(await isActive('conductor')).to.equal('failed');
    await restart();
  });

  it('serves again within five seconds after a crash', async () => {
    await box.systemctl('kill', '--signal=KILL', 'conductor');
    expect(await timeUntilServing(5000)).to.be.below(5000);
    expect(await box.show('NRestarts')).to.equal('1');
  });

  it('is ended and serves again within a minute when it hangs', async () => {
    await restart();
    await box.systemctl('kill', '--signal=STOP', 'conductor');
    expect(await timeUntilServing(75_000)).to.be.above(1000);
    expect(await box.show('NRestarts')).to.equal('1');
    expect((await box.run(['journalctl', '-t', 'conductor-watch', '-o', 'cat', '--no-pager'])).stdout).to.match(
      /^conductor: The conductor does not answer: 127\.0\.0\.1:8080: nothing within 2 s\./m,
    );
  });

  it('is left alone by its watch when it answers, and when it is stopped', async () => {
    const pid = await box.show('MainPID');
    expect(await box.systemctl('start', 'conductor-watch.service')).to.equal('0:');
    expect(await box.show('MainPID')).to.equal(pid);
    expect(await isActive('conductor-watch.timer')).to.equal('active');
    await box.systemctl('stop', 'conductor');
    await box.systemctl('start', 'conductor-watch.service');
    expect([await isActive('conductor'), await isActive('conductor-watch.timer')]).to.deep.equal([
      'inactive',
      'inactive',
    ]);
    await restart();
  });

  it('serves again after it has run out of memory', async function () {
    if ((await box.show('MemoryCurrent')) === '[not set]') return this.skip();
    await restart('[Service]\nMemoryMax=80M\n');
    await box.journal();
    const body = { question: 'Why?', files: [{ path: 'big', content: 'x'.repeat(4_000_000) }] };
    const headers = await box.authorize();
    const asks = Array.from({ length: 24 }, () => askAll(box.remote(), body, headers).catch(() => undefined));
    await waitFor('it to be killed', async () => Number(await box.show('NRestarts')) >= 1, 20_000);
    await Promise.all(asks);
    expect(await timeUntilServing(5000)).to.be.below(5000);
    expect(await box.journal()).to.include('code=killed, status=9/KILL');
    await restart();
  });

  it('serves again after the machine has restarted', async () => {
    await box.surround(false);
    await box.reboot();
    expect(await isActive('conductor')).to.equal('active');
    // The control plane is away: it knows its owner by the keys that it kept.
    expect(await serves()).to.equal(true);
    await box.surround(true);
  });

  it('lets in its owner, and says what it cannot reach, without names and without the control plane', async () => {
    await box.surround(false);
    box.write('/etc/hosts', '127.0.0.1 localhost\n');
    await restart();
    expect(await askAll(box.remote(), QUESTION, await box.authorize())).to.have.nested.property(
      '[1].code',
      'model_failed',
    );
    expect((await send(box.remote(), { path: '/health' })).status).to.equal(200);
    const { unreachable } = BoxStatus.parse((await box.get('/api/status'))?.json);
    expect(unreachable.map(({ service }) => service)).to.have.members(['control_plane', 'model']);
    box.write('/etc/hosts', '127.0.0.1 localhost models.spoq.test\n');
    await box.surround(true);
    expect((await askAll(box.remote(), QUESTION, await box.authorize())).at(-1)).to.include({ type: 'done' });
    await restart();
    await waitFor('the keys to be fetched', async () => {
      const status = BoxStatus.parse((await box.get('/api/status'))?.json);
      return status.unreachable.length === 0;
    });
  });

  it('tells what time it is here when a token is two hours off', async () => {
    for (const [shift, words] of [
      [-7200, 'The token has expired.'],
      [7200, 'The token is not valid yet.'],
    ] as const) {
      const answer = await box.get('/api/status', { shift });
      expect(answer?.status).to.equal(403);
      expect(answer?.json)
        .to.have.property('detail')
        .that.matches(new RegExp(`^${words} This box's clock says \\d{4}-\\d\\d-\\d\\dT[\\d:]{8}Z\\.$`));
    }
  });

  it('serves from a full disk, and says that it could not keep the keys', async () => {
    await box.systemctl('stop', 'conductor');
    const fill = 'mount -t tmpfs -o size=64k none /var/lib/conductor && cat /dev/zero > /var/lib/conductor/full';
    await box.run(['sh', '-c', fill]);
    await box.journal();
    try {
      await restart();
      await waitFor('the owner to be let in', serves);
      expect(await box.journal()).to.match(
        /"reason":"ENOSPC.*keys could not be saved, so they last until the next restart/,
      );
    } finally {
      await box.systemctl('stop', 'conductor');
      await box.run(['umount', '/var/lib/conductor']);
    }
    await restart();
  });

  it('lets an answer end when it is stopped, and says so to who comes meanwhile', async () => {
    await box.tell('hold');
    const stream = await openAsk(box.remote(), QUESTION, await box.authorize());
    await stream.next();
    await stream.next();
    const stopped = box.systemctl('restart', 'conductor');
    await waitFor('it to stop', async () => (await box.get('/api/status'))?.status === 503);
    expect((await box.get('/api/status'))?.json).to.deep.include({ code: 'box_restarting' });
    await box.tell('go');
    expect((await stream.next())?.data).to.deep.equal({ type: 'text', text: 'last' });
    expect((await stream.next())?.event).to.equal('done');
    expect(await stopped).to.equal('0:');
    expect(await serves()).to.equal(true);
  });

  it('tells who reads when an answer must be cut', async () => {
    await restart('[Service]\nExecStart=\nExecStart=/usr/local/bin/conductor --grace 1\n');
    await box.tell('hold');
    const stream = await openAsk(box.remote(), QUESTION, await box.authorize());
    await stream.next();
    await stream.next();
    const stopped = box.systemctl('restart', 'conductor');
    expect((await stream.next())?.data).to.deep.include({ type: 'error', code: 'box_restarting' });
    expect(await stream.next()).to.equal(undefined);
    expect(await stopped).to.equal('0:');
    await box.tell('go');
    await restart();
  });

  it('answers `spoq ask` of its user without a sign-in, also while it restarts', async () => {
    const answer = await box.run(['sh', '-c', 'cd && spoq ask "what is it?" < /dev/null'], 'spoq');
    expect(answer).to.deep.include({ code: 0, stdout: 'first last\n' });
    expect(answer.stderr).to.match(/\n0 files, 0 B, 0 withheld\n12 tokens in, 7 out, \$[\d.]+, claude-sonnet-5-5\n$/);
    await box.systemctl('stop', 'conductor');
    const waiting = box.run(['sh', '-c', 'cd && spoq ask "what is it?" < /dev/null'], 'spoq');
    expect(await box.systemctl('start', 'conductor')).to.equal('0:');
    expect(await waiting).to.deep.include({ code: 0, stdout: 'first last\n' });
  });

  it('keeps its configuration, keys and executable from programs of its user', async () => {
    const pid = await box.show('MainPID');
    const attempts = [
      'cat /etc/conductor/config.toml',
      'cat /etc/conductor/env',
      'ls /var/lib/conductor',
      `cat /proc/${pid}/environ`,
      `kill -TERM ${pid}`,
      'echo x >> /usr/local/bin/conductor',
      'mv /usr/local/bin/conductor /tmp',
      'echo x > /etc/systemd/system/conductor.service.d/evil.conf',
      'curl --unix-socket /run/conductor/remote.sock http://localhost/health || ls /run/conductor',
    ];
    for (const attempt of attempts) {
      const { code } = await box.run(['sh', '-c', attempt], 'spoq');
      expect([attempt, code === 0]).to.deep.equal([attempt, false]);
    }
    expect(await serves()).to.equal(true);
  });

  it('sees nothing of its user’s home, and writes nothing but its own state', async () => {
    box.write('/home/spoq/private', 'secret');
    const inside = `/proc/${await box.show('MainPID')}/root`;
    expect(() => statSync(box.file('/home/spoq/private'))).not.to.throw();
    const homes = await box.run(['sh', '-c', `ls -A ${inside}/home ${inside}/root`]);
    expect(homes.stdout.split('\n').filter((line) => line !== '' && !line.endsWith(':'))).to.deep.equal([]);
    const mounts = (await box.run(['cat', `${inside.replace(/root$/, 'mounts')}`])).stdout.split('\n');
    const writable = mounts.map((line) => line.split(' ')).filter(([, , , flags = '']) => /^rw\b/.test(flags));
    const places = writable
      .map(([, place = '']) => place)
      .filter((place) => !/^\/(dev|proc|sys|run\/host)(\/|$)/.test(place));
    expect([...new Set(places)].toSorted()).to.deep.equal(['/run/conductor', '/tmp', '/var/lib/conductor', '/var/tmp']);
  });

  it('can have work done in the home by programs of its user, without reaching it itself', async () => {
    const socket = 'ListenStream=/run/spoq-agent.sock\nSocketGroup=conductor\nSocketMode=0660\nAccept=yes\n';
    box.write('/etc/systemd/system/spoq-agent.socket', `[Socket]\n${socket}`);
    const work = `ExecStart=/bin/sh -c 'id -un > ~/made; cat ~/made'\nStandardInput=socket\nStandardOutput=socket\n`;
    box.write('/etc/systemd/system/spoq-agent@.service', `[Service]\nUser=spoq\nNoNewPrivileges=yes\n${work}`);
    await box.systemctl('daemon-reload');
    expect(await box.systemctl('start', 'spoq-agent.socket')).to.equal('0:');
    const inSandbox = ['nsenter', '-t', await box.show('MainPID'), '-m', 'setpriv', '--no-new-privs', '--clear-groups'];
    const asConductor = [...inSandbox, '--reuid', 'conductor', '--regid', 'conductor'];
    const connect = 'print IO::Socket::UNIX->new(Peer => "/run/spoq-agent.sock")->getline';
    expect(await box.run([...asConductor, 'perl', '-MIO::Socket::UNIX', '-e', connect])).to.deep.equal({
      code: 0,
      stdout: 'spoq\n',
      stderr: '',
    });
    expect((await box.run(['cat', '/home/spoq/made'])).stdout).to.equal('spoq\n');
    expect((await box.run([...asConductor, 'ls', '/home/spoq'])).code).not.to.equal(0);
  });

  it('has a front door that comes back by itself, and never lets anybody in without a token', async () => {
    box.write('/etc/caddy/Caddyfile', 'http://:8443 {\n\treverse_proxy unix//run/conductor/remote.sock\n}\n');
    box.write('/etc/systemd/system/caddy.service.d/10-spoq.conf', loadTemplates()['caddy-restart.conf']);
    await box.run(['usermod', '--append', '--groups', 'conductor', 'caddy']);
    await box.systemctl('daemon-reload');
    expect(await box.systemctl('start', 'caddy')).to.equal('0:');
    const ask = async (what: string): Promise<string> => {
      const curl = ['curl', '--silent', '--output', '/dev/null', '--write-out', '%{http_code}'];
      return (await box.run([...curl, `http://localhost:8443${what}`])).stdout;
    };
    expect([await ask('/health'), await ask('/api/status')]).to.deep.equal(['200', '403']);
    await box.systemctl('kill', '--signal=KILL', 'caddy');
    await waitFor('the front door to open', async () => (await ask('/health')) === '200');
    await box.systemctl('stop', 'conductor');
    expect(await ask('/health')).to.equal('502');
    await restart();
    expect(await ask('/health')).to.equal('200');
    await box.systemctl('stop', 'caddy');
  });

  it('gives up after three starts in a minute, and stays stopped when it is stopped in the pause', async () => {
    await restart();
    await box.journal();
    for (let crash = 0; crash < 3; crash += 1) {
      await waitFor('it to run', async () => (await box.show('SubState')) === 'running');
      await box.systemctl('kill', '--signal=KILL', 'conductor');
    }
    await waitFor('systemd to give up', async () => (await isActive('conductor')) === 'failed');
    expect(await box.journal()).to.include('Start request repeated too quickly');
    expect(await isActive('conductor-retry.timer')).to.equal('active');
    await box.systemctl('stop', 'conductor');
    expect(await isActive('conductor-retry.timer')).to.equal('inactive');
  });

  it('stays stopped when it was stopped by hand and had to be killed', async () => {
    await restart('[Service]\nTimeoutStopSec=1\n');
    await box.tell('hold');
    const stream = await openAsk(box.remote(), QUESTION, await box.authorize());
    await stream.next();
    await stream.next();
    await box.systemctl('stop', 'conductor');
    await box.tell('go');
    stream.drop();
    expect([await isActive('conductor'), await isActive('conductor-retry.timer')]).to.deep.equal([
      'failed',
      'inactive',
    ]);
    await restart();
  });

  it('says in one line what is wrong with its configuration, and comes back by itself when that is mended', async () => {
    await box.journal();
    box.write('/etc/conductor/config.toml', CONFIG.replace(/^issuer.*$/m, 'issuer = 7'));
    expect(await box.systemctl('restart', 'conductor')).to.match(/^1: Job for conductor.service failed/);
    await waitFor('systemd to give up', async () => (await isActive('conductor')) === 'failed');
    const said = new Set((await box.journal()).split('\n').filter((line) => line.startsWith('conductor: ')));
    expect([...said]).to.deep.equal([
      'conductor: The configuration in /etc/conductor/config.toml is not valid: auth.issuer: Invalid input: expected string, received number. Correct what is named and start again.',
    ]);
    box.write('/etc/conductor/config.toml', CONFIG);
    expect(await timeUntilServing(70_000)).to.be.above(1000);
  });
});
