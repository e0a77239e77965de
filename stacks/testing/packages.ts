import { execFile } from 'node:child_process';
import { access, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * Debian packages, unpacked into the cache and never installed: an installed cloud-init would run at the next boot of this machine, an
 * sshd or a Caddy would listen. Answers the folder that stands for `/`; undefined, with one line that says why, where there is no apt
 * or no mirror.
 */
export async function unpackPackages(
  env: NodeJS.ProcessEnv,
  name: string,
  packages: readonly string[],
): Promise<string | undefined> {
  const folder = join(env['SPOQ_CACHE_DIR'] ?? join(homedir(), '.cache', 'spoq'), name, 'unpacked');
  try {
    await access(folder).catch(() => unpack(folder, packages));
    return folder;
  } catch (error) {
    const [reason = ''] = (error instanceof Error ? error.message : String(error)).split('\n');
    process.stderr.write(`${name} can't be had here, its check is skipped: ${reason}\n`);
    return undefined;
  }
}

/** Runs a program of unpacked packages with their libraries; answers what it says. Throws unless it ends with 0. */
export async function runUnpacked(
  folder: string,
  program: string,
  args: readonly string[],
  options: { uid?: number; gid?: number } = {},
): Promise<string> {
  const libraries = ['lib', 'usr/lib'].flatMap((path) =>
    ['x86_64-linux-gnu', 'aarch64-linux-gnu'].map((machine) => join(folder, path, machine)),
  );
  // What a program keeps in a home stays in the cache: as root it would even make one that is not there.
  const env = { PATH: '/usr/bin:/bin', HOME: folder, LD_LIBRARY_PATH: libraries.join(':') };
  const { stdout, stderr } = await run(join(folder, program), args, { env, ...options });
  return stdout + stderr;
}

async function unpack(folder: string, packages: readonly string[]): Promise<void> {
  const parent = join(folder, '..');
  await mkdir(parent, { recursive: true });
  // Whole or not at all: a download that breaks off leaves nothing that looks like a cache.
  const work = await mkdtemp(join(parent, 'work-'));
  try {
    await run('apt-get', ['download', ...packages], { cwd: work });
    const root = join(work, 'root');
    for (const name of await readdir(work)) await run('dpkg-deb', ['-x', join(work, name), root]);
    await rename(root, folder).catch(async (error: unknown) => {
      // Another run was quicker.
      await access(folder).catch(() => Promise.reject(error));
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
