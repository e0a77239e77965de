import { execFile } from 'node:child_process';
import { mkdtemp, mkdir, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A folder for one test, removed with everything in it at the end of the block. */
export interface TemporaryFolder extends AsyncDisposable {
  path: string;
  /** Writes files, folders included. */
  write(files: Record<string, string | Buffer>): Promise<void>;
  /** Runs git in it, as nobody in particular and without the configuration of this machine. */
  git(...args: string[]): Promise<void>;
}

/** Makes a folder with these files. */
export async function createTemporaryFolder(files: Record<string, string | Buffer> = {}): Promise<TemporaryFolder> {
  const path = await realpath(await mkdtemp(join(tmpdir(), 'spoq-cli-')));
  const folder: TemporaryFolder = {
    path,
    async write(more) {
      for (const [name, content] of Object.entries(more)) {
        await mkdir(dirname(join(path, name)), { recursive: true });
        await writeFile(join(path, name), content);
      }
    },
    async git(...args) {
      const env = { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_SYSTEM: '/dev/null' };
      await run('git', ['-c', 'user.name=Test', '-c', 'user.email=test@spoq.localhost', ...args], { cwd: path, env });
    },
    // What was stopped may be writing its last file.
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true, maxRetries: 5 }),
  };
  await folder.write(files);
  return folder;
}

/** A git repository with these files committed. */
export async function createRepository(files: Record<string, string | Buffer>): Promise<TemporaryFolder> {
  const folder = await createTemporaryFolder(files);
  await folder.git('init', '-q');
  await folder.git('add', '-A', '-f');
  await folder.git('commit', '-q', '-m', 'test: files');
  return folder;
}
