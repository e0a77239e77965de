import { expect } from 'chai';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { loadTemplates } from '../../stacks/templates.ts';
import { cutEvery, cutOff, startReleaseServer } from '../testing/release-server.ts';

describe('the download of a box that is upgraded', function () {
  this.timeout(30_000);
  const NAME = 'conductor-linux-amd64';
  const PROGRAM = Buffer.from(`#!/bin/sh\necho 1.0.0\n${'# '.repeat(500)}\n`);
  let folder: string;
  let server: Awaited<ReturnType<typeof startReleaseServer>>;

  before(function () {
    if (process.getuid?.() === 0) return;
    process.stderr.write(
      'This is not root: converge.sh could not try what it downloads as nobody, so it is not run.\n',
    );
    this.skip();
  });
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'spoq-converge-'));
    await chmod(folder, 0o755);
    server = await startReleaseServer(join(folder, 'releases'), '');
  });
  afterEach(async () => {
    await server?.close();
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  });

  /** Has the script's own function get the program into `folder`. */
  const fetchProgram = async (): Promise<{ code: number; stderr: string }> => {
    const digest = createHash('sha256').update(PROGRAM).digest('hex');
    const env = { ...process.env, SPOQ_RELEASE_URL: `${server.url}/releases`, SPOQ_DIGESTS: `${digest}  ${NAME}` };
    const functions = loadTemplates()['converge.sh'].replace(/main "\$@"\nexit\n$/, '');
    const running = promisify(execFile)('bash', ['-c', `${functions}\nBIN=$1\nfetch conductor ${NAME}`, 'sh', folder], {
      env,
    });
    return running.then(
      ({ stderr }) => ({ code: 0, stderr }),
      ({ code, stderr }: { code: number; stderr: string }) => ({ code, stderr }),
    );
  };

  it('goes on where it was cut, again and again', async () => {
    server.tampered.set(NAME, cutEvery(PROGRAM, 300));
    expect(await fetchProgram()).to.deep.include({ code: 0 });
    expect(await readFile(join(folder, '.conductor.new'))).to.deep.equal(PROGRAM);
  });

  for (const [title, act] of [
    ['no more of it comes', cutOff(PROGRAM)],
    ['it comes byte by byte', cutEvery(PROGRAM, 1)],
  ] as const)
    it(`is given up when ${title}, and leaves nothing`, async () => {
      server.tampered.set(NAME, act);
      const { code, stderr } = await fetchProgram();
      expect([code, stderr.trim().split('\n').at(-1)]).to.deep.equal([
        1,
        `${NAME} could not be downloaded from ${server.url}/releases. Nothing was changed.`,
      ]);
      expect(await readdir(folder)).to.deep.equal([]);
    });
});
