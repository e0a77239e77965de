import { expect } from 'chai';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { listenOnFreePort } from '../test/harness/listen.ts';
import { waitFor } from '../test/harness/wait.ts';
import { startChild } from './child.ts';
import type { Child } from './child.ts';
import { openProcessRecord } from './leftovers.ts';
import { checkPorts, parsePort } from './ports.ts';
import { endProcesses, findFamily, listProcesses, stillRunning } from './process-table.ts';
import { exchangePort, findOwner, forgetState, loadSecrets, lockStateFolder, openStateFolder } from './state-folder.ts';

describe('processes', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(path.join(tmpdir(), 'spoq-processes-'));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  const start = (script: string): Child =>
    startChild({
      name: 'part',
      argv: [process.execPath, '-e', script],
      env: process.env,
      cwd: dir,
      logFile: path.join(dir, 'part.log'),
    });
  /** A grandchild in a process group of its own, as the engine starts its plugins. */
  const WITH_GRANDCHILD = `
    const child = require('child_process').spawn('sleep', ['600'], { detached: true, stdio: 'ignore' });
    process.on('SIGTERM', () => process.exit(0));
    console.log(JSON.stringify({ msg: 'listening', pid: child.pid }));
    setInterval(() => {}, 1000);`;

  it('ends a part and whatever it left behind', async () => {
    const child = start(WITH_GRANDCHILD);
    const { pid } = await child.waitForMessage('listening');
    const family = findFamily(child.pid);
    expect(family.map((row) => row.pid)).to.include.members([child.pid, pid]);
    await child.stop(5000);
    await waitFor('both to be gone', () => stillRunning(family).length === 0);
    expect(await child.ended).to.deep.equal({ code: 0, signal: null });
  });

  it('kills a part that does not end when it is asked', async () => {
    const child = start(
      `process.on('SIGTERM', () => {}); console.log('{"msg":"listening"}'); setInterval(() => {}, 1000);`,
    );
    await child.waitForMessage('listening');
    await child.stop(100);
    expect(await child.ended).to.deep.equal({ code: null, signal: 'SIGKILL' });
  });

  it('keeps what a part said, and tells when it ends before it was ready', async () => {
    const child = start(`console.log('first'); console.error('then'); process.exit(3);`);
    const error = await child.waitForMessage('listening').catch((reason: unknown) => reason);
    expect(error).to.be.an('error').with.property('message', 'part ended before it was ready');
    expect(child.lastLines().toSorted()).to.deep.equal(['first', 'then']);
    expect(await child.ended).to.deep.equal({ code: 3, signal: null });
    await waitFor('the log', () => readFileSync(path.join(dir, 'part.log'), 'utf8').includes('then'));
  });

  it('ends what a killed run left, and leaves alone whoever has its pid by now', async () => {
    const left = spawn('sleep', ['600'], { detached: true, stdio: 'ignore' });
    const other = spawn('sleep', ['600'], { detached: true, stdio: 'ignore' });
    const rowOf = (pid: number | undefined) => listProcesses().filter((row) => row.pid === pid);
    try {
      const record = openProcessRecord(dir);
      record.add('worker', left.pid ?? 0);
      const [row] = rowOf(left.pid);
      const file = path.join(dir, 'processes.json');
      const text = readFileSync(file, 'utf8');
      expect(text).to.contain(`"started":"${row?.started}"`);
      expect(await openProcessRecord(dir).endLeftovers()).to.deep.equal(['worker']);
      await waitFor('it to be gone', () => rowOf(left.pid).length === 0);
      expect(rowOf(other.pid)).to.have.length(1);
      expect(await openProcessRecord(dir).endLeftovers()).to.deep.equal([]);
    } finally {
      await endProcesses([...rowOf(left.pid), ...rowOf(other.pid)], 1000);
    }
  });

  it('names the port that is in use, who has it and the way out', async () => {
    const server = createServer();
    const { port } = await listenOnFreePort(server);
    const error = await checkPorts({ control_plane: port }, 4000).catch((reason: unknown) => reason);
    await new Promise((resolve) => server.close(resolve));
    expect(error)
      .to.be.an('error')
      .with.property(
        'message',
        `Port ${port} (control plane) is in use by node (pid ${process.pid}). ` +
          "End that program, or set SPOQ_PORT=5000 to move all of Spoq's ports. Nothing was started.",
      );
    await checkPorts({ control_plane: port }, 4000);
  });

  it('reads SPOQ_PORT and refuses what is no port', () => {
    expect([undefined, '', '5000'].map(parsePort)).to.deep.equal([4000, 4000, 5000]);
    for (const wrong of ['80', '65530', 'x', '4000.5']) expect(() => parsePort(wrong)).to.throw(/SPOQ_PORT is '/);
  });

  it('gives a state folder to one run at a time, and takes over from one that died', () => {
    const folder = openStateFolder(path.join(dir, 'state'));
    const unlock = lockStateFolder(folder);
    expect(findOwner(folder)?.pid).to.equal(process.pid);
    expect(() => lockStateFolder(folder)).to.throw(`Spoq is already running from this clone (pid ${process.pid}).`);
    unlock();
    expect(findOwner(folder)).to.equal(undefined);
    const again = lockStateFolder(folder);
    again();
  });

  it('notices that the ports were others before', () => {
    const folder = openStateFolder(path.join(dir, 'state'));
    const ports = [4000, 4000, 5000, 4000];
    expect(ports.map((port) => exchangePort(folder, port))).to.deep.equal([undefined, undefined, 4000, 5000]);
  });

  it('forgets everything but the lock it holds', () => {
    const folder = openStateFolder(path.join(dir, 'state'));
    const unlock = lockStateFolder(folder);
    loadSecrets(folder);
    forgetState(folder);
    expect(readdirSync(folder.dir).toSorted()).to.deep.equal(['bin', 'logs', 'sandbox', 'start.lock']);
    unlock();
  });

  it('makes secrets once and keeps them to their owner', () => {
    const folder = openStateFolder(path.join(dir, 'state'));
    const secrets = loadSecrets(folder);
    expect(loadSecrets(folder)).to.deep.equal(secrets);
    expect(Buffer.from(secrets.ENCRYPTION_KEY, 'base64')).to.have.length(32);
    expect(statSync(path.join(folder.dir, 'secrets.json')).mode & 0o777).to.equal(0o600);
  });
});
