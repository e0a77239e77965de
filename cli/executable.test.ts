import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
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
  const getProgram = (): string[] => [join(folder?.path ?? '', 'spoq')];

  before(async () => {
    folder = await createTemporaryFolder();
    const bun = join(ROOT, 'node_modules', '.bin', 'bun');
    await run(bun, [...FLAGS, '--outfile', join(folder.path, 'spoq'), join(ROOT, 'cli', 'main.ts')], {
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
});
