import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { hostTarget, releaseName } from '../../tools/build-release.ts';
import { findOnPath, runCommand } from '../../tools/run-command.ts';
import { type ReleaseServer, startReleaseServer } from '../testing/release-server.ts';
import { makeRelease, makeReleaseKey } from '../testing/releases.ts';

const PROGRAM = '#!/bin/sh\necho 0.1.0\n';
const NAME = releaseName('spoq', hostTarget());

/** With this machine's own shells and programs; test/install.test.ts does so in clean systems, where it can. */
describe('the install script', function () {
  this.timeout(60_000);
  const folder = mkdtempSync(join(tmpdir(), 'spoq-install-'));
  const releases = join(folder, 'releases');
  let server: ReleaseServer;
  let script: string;

  before(async () => {
    const key = makeReleaseKey(folder);
    await makeRelease(releases, { files: { [NAME]: PROGRAM }, key });
    server = await startReleaseServer(releases, key.publicKey.text);
    script = await fetch(`${server.url}/install.sh`).then((answer) => answer.text());
  });
  after(async () => {
    await server.close();
    rmSync(folder, { recursive: true });
  });
  beforeEach(() => server.tampered.clear());

  const makeHome = (): string => mkdtempSync(join(folder, 'home-'));

  for (const [shell, ...first] of [['sh'], ['bash'], ['dash'], ['busybox', 'sh']] as const)
    it(`installs with ${shell}`, async function () {
      if (findOnPath(shell, process.env['PATH']) === undefined) {
        console.log(`      ${shell} is not installed: install.sh is not tried with it`);
        return this.skip();
      }
      const home = makeHome();
      const env = { PATH: process.env['PATH'], HOME: home, SPOQ_INSTALL_DIR: join(home, 'bin') };
      const result = await runCommand(shell, [...first, '-c', script], { env });
      expect([result.code, result.stderr]).to.deep.equal([0, '']);
      expect(readFileSync(join(home, 'bin', 'spoq'), 'utf8')).to.equal(PROGRAM);
      expect(readdirSync(home, { recursive: true }).sort()).to.deep.equal(['bin', 'bin/spoq']);
    });

  it('does nothing when it was cut off, wherever that was', async () => {
    const home = makeHome();
    const end = script.trimEnd().length; // from here on it is whole
    const ends = Array.from({ length: Math.ceil(end / 97) }, (_, index) => index * 97);
    for (let length = end - 1; length > end - 14; length--) ends.push(length);
    server.asked.length = 0;
    for (const length of ends) {
      const env = { PATH: process.env['PATH'], HOME: home, SPOQ_INSTALL_DIR: join(home, 'bin') };
      await runCommand('sh', ['-c', script.slice(0, length)], { env });
    }
    expect(ends.length).to.be.greaterThan(50);
    expect([readdirSync(home), server.asked]).to.deep.equal([[], []]);
  });

  it('leaves nothing behind when it is stopped', async () => {
    const home = makeHome();
    let arrived = (): void => {};
    const asked = new Promise<void>((resolve) => (arrived = resolve));
    server.tampered.set(NAME, (ctx) => {
      ctx.respond = false; // and never answers
      arrived();
    });
    const env = { PATH: process.env['PATH'], HOME: home, SPOQ_INSTALL_DIR: join(home, 'a', 'bin') };
    const child = spawn('sh', ['-c', script], { env, detached: true, stdio: 'ignore' });
    const ended = once(child, 'exit');
    await asked;
    expect(readdirSync(join(home, 'a', 'bin')).length).to.equal(1);
    process.kill(-(child.pid ?? 0), 'SIGINT'); // to all of them, as a terminal does
    expect((await ended)[0]).to.equal(130);
    expect(readdirSync(home)).to.deep.equal([]);
  });

  it('removes no folder that was there before', async () => {
    const home = makeHome();
    mkdirSync(join(home, 'bin'));
    server.tampered.set(NAME, (ctx) => (ctx.body = 'evil'));
    const env = { PATH: process.env['PATH'], HOME: home, SPOQ_INSTALL_DIR: join(home, 'bin') };
    const { code } = await runCommand('sh', ['-c', script], { env });
    expect([code, readdirSync(home, { recursive: true })]).to.deep.equal([1, ['bin']]);
  });

  it('is clean for shellcheck', async function () {
    const shellcheck = findOnPath('shellcheck', process.env['PATH']);
    if (shellcheck === undefined) {
      console.log('      shellcheck is not installed: install.sh is not checked with it');
      return this.skip();
    }
    const file = join(import.meta.dirname, '../install.sh');
    expect(await runCommand(shellcheck, ['-s', 'sh', file])).to.deep.equal({ code: 0, stdout: '', stderr: '' });
  });
});
