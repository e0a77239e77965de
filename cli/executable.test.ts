import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFile, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { readReleaseKey, writeKeyPair } from '../tools/release-key.ts';
import type { ReleaseKey } from '../tools/release-key.ts';
import { startFakeServer } from './testing/fake-server.ts';
import { describeProcess } from './testing/process-scenes.ts';
import { runSpoq } from './testing/run-spoq.ts';
import { createTemporaryFolder } from './testing/temporary-folder.ts';
import type { TemporaryFolder } from './testing/temporary-folder.ts';
import { VERSION } from './version.ts';

const run = promisify(execFile);
const ROOT = join(import.meta.dirname, '..');
/** Splitting keeps what a command doesn't need out of memory: `--version` takes half the time. */
const FLAGS = ['build', '--compile', '--minify', '--bytecode', '--format=esm', '--splitting'];

describe('spoq, compiled', function () {
  this.timeout(60_000);
  let folder: TemporaryFolder | undefined;
  let key: ReleaseKey;
  const getProgram = (): string[] => [join(folder?.path ?? '', 'spoq')];

  before(async () => {
    folder = await createTemporaryFolder();
    writeKeyPair(join(folder.path, 'release.key'));
    key = readReleaseKey(join(folder.path, 'release.key'));
    const define = ['--define', `SPOQ_RELEASE_PUBLIC_KEY=${JSON.stringify(key.publicKey.text)}`];
    const bun = join(ROOT, 'node_modules', '.bin', 'bun');
    await run(bun, [...FLAGS, ...define, '--outfile', join(folder.path, 'spoq'), join(ROOT, 'cli', 'main.ts')], {
      cwd: folder.path,
    });
  });

  after(async () => {
    await folder?.[Symbol.asyncDispose]();
  });

  describeProcess(getProgram);

  it('tells its version, and explains itself', async () => {
    const options = { cwd: '/', env: {}, program: getProgram() };
    expect(await runSpoq(['--version'], options)).to.deep.equal({ code: 0, out: `${VERSION}\n`, err: '' });
    const { code, out } = await runSpoq(['help', 'ask'], options);
    expect([code, out.startsWith('Examples:')]).to.deep.equal([0, true]);
  });

  it('replaces itself by what is signed with the key inside, and removes itself', async () => {
    await using place = await createTemporaryFolder();
    const program = [join(place.path, 'spoq')];
    await copyFile(getProgram()[0] ?? '', program[0] ?? '');
    const next = '#!/bin/sh\necho 9.0.0\n';
    const os = process.platform;
    const arch = process.arch === 'x64' ? 'amd64' : 'arm64';
    const sha256 = createHash('sha256').update(next).digest('hex');
    const file = { name: 'spoq-next', program: 'spoq', os, arch, size: next.length, sha256 };
    const manifest = JSON.stringify({ version: '9.0.0', built_at: '2026-01-01T00:00:00Z', files: [file] });
    await using server = await startFakeServer({
      'GET /releases/manifest.json': (_, response) => void response.end(manifest),
      'GET /releases/manifest.json.minisig': (_, response) => void response.end(key.sign(Buffer.from(manifest), 'x')),
      'GET /releases/9.0.0/spoq-next': (_, response) => void response.end(next),
    });
    const options = { cwd: '/', env: { SPOQ_URL: server.url, HOME: place.path }, program };
    expect(await runSpoq(['upgrade', '--check'], options)).to.deep.equal({
      code: 0,
      out: `spoq 9.0.0 is there; this is ${VERSION}. Get it with: spoq upgrade\n`,
      err: '',
    });
    expect(await runSpoq(['upgrade'], options)).to.deep.equal({
      code: 0,
      out: `Upgraded from ${VERSION} to 9.0.0: ${program[0]}\n`,
      err: '',
    });
    expect([await readFile(program[0] ?? '', 'utf8'), await readdir(place.path)]).to.deep.equal([next, ['spoq']]);
    await copyFile(getProgram()[0] ?? '', program[0] ?? '');
    const { code, out } = await runSpoq(['uninstall'], options);
    expect([code, out.split('\n')[0], await readdir(place.path)]).to.deep.equal([0, `Removed ${program[0]}.`, []]);
  });
});
