import { execFile } from 'node:child_process';
import { access, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** cloud-init and what its schema check imports. */
const PACKAGES = [
  'cloud-init',
  'python3-attr',
  'python3-certifi',
  'python3-chardet',
  'python3-configobj',
  'python3-idna',
  'python3-jinja2',
  'python3-json-pointer',
  'python3-jsonpatch',
  'python3-jsonschema',
  'python3-markupsafe',
  'python3-netifaces',
  'python3-oauthlib',
  'python3-pkg-resources',
  'python3-pyrsistent',
  'python3-requests',
  'python3-serial',
  'python3-six',
  'python3-urllib3',
  'python3-yaml',
];

/**
 * cloud-init's own program, unpacked into the cache and never installed: installed, it would run at the next boot of this machine.
 * Undefined, with one line that says why, where there is no apt or no mirror.
 */
export async function getCloudInit(env: NodeJS.ProcessEnv): Promise<((file: string) => Promise<string>) | undefined> {
  const folder = join(env['SPOQ_CACHE_DIR'] ?? join(homedir(), '.cache', 'spoq'), 'cloud-init', 'unpacked');
  try {
    await access(folder).catch(() => unpack(folder));
  } catch (error) {
    const [reason = ''] = (error instanceof Error ? error.message : String(error)).split('\n');
    process.stderr.write(`cloud-init can't be had here, its schema check is skipped: ${reason}\n`);
    return undefined;
  }
  const PYTHONPATH = join(folder, 'usr/lib/python3/dist-packages');
  return async (file) => {
    const args = ['-m', 'cloudinit.cmd.main', 'schema', '--config-file', file];
    const { stdout, stderr } = await run('/usr/bin/python3', args, { env: { ...env, PYTHONPATH } });
    return stdout + stderr;
  };
}

async function unpack(folder: string): Promise<void> {
  const parent = join(folder, '..');
  await mkdir(parent, { recursive: true });
  // Whole or not at all: a download that breaks off leaves nothing that looks like a cache.
  const work = await mkdtemp(join(parent, 'work-'));
  try {
    await run('apt-get', ['download', ...PACKAGES], { cwd: work });
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
