import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { cacheDir } from './engine.ts';
import { withLock } from './lock.ts';
import { findOnPath, runCommand } from './run-command.ts';
import { canInstallPackages } from './system-packages.ts';
import { ToolError } from './terminal.ts';

export interface TreeDeps {
  env: NodeJS.ProcessEnv;
  signal?: AbortSignal;
  onProgress: (text: string) => void;
}

/** Where the root file system called `name` is kept, whether or not it is there. */
export function treePath(env: NodeJS.ProcessEnv, name: string): string {
  return path.join(cacheDir(env), 'trees', name);
}

/**
 * A root file system in the cache, made by `make` the first time. What `make` fills is renamed to its place when it is whole, so a
 * tree that is there is complete. Nobody may write into it: use an overlay or a copy. Safe to run at the same time in several processes.
 */
export async function ensureTree(
  name: string,
  make: (folder: string) => Promise<void>,
  { env, onProgress }: TreeDeps,
): Promise<string> {
  const place = treePath(env, name);
  if (existsSync(place)) return place;
  const folder = path.dirname(place);
  const wait = (): void => onProgress('another run makes it; waiting');
  return withLock(folder, name, () => fill(place, make), wait);
}

async function fill(place: string, make: (folder: string) => Promise<void>): Promise<string> {
  if (existsSync(place)) return place; // made while we waited
  mkdirSync(path.dirname(place), { recursive: true });
  const draft = mkdtempSync(`${place}.new-`);
  try {
    await make(draft);
    chmodSync(draft, 0o755); // others than root live there too
    renameSync(draft, place);
    return place;
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

/** A PATH with the folders of programs for administrators, which people's don't always have. */
export function withSystemFolders(searchPath: string | undefined): string {
  return [...(searchPath ?? '').split(':'), '/usr/local/sbin', '/usr/sbin', '/sbin']
    .filter((dir) => dir !== '')
    .join(':');
}

/** Why no Debian tree can be made on this machine; undefined where one can. */
export function whyNoDebianTree(env: NodeJS.ProcessEnv): string | undefined {
  if (process.platform !== 'linux') return 'this is not Linux';
  if (process.getuid?.() !== 0) return 'this is not root';
  if (!canInstallPackages(env)) return 'this is not Debian, whose mirror it would come from';
  if (findOnPath('debootstrap', withSystemFolders(env['PATH'])) === undefined) return 'there is no debootstrap';
  return undefined;
}

/** Fills `folder` with a minimal Debian of this machine's release, from this machine's mirror. Throws a ToolError. */
export async function debootstrap(folder: string, packages: readonly string[], deps: TreeDeps): Promise<void> {
  const env = { ...deps.env, PATH: withSystemFolders(deps.env['PATH']) };
  const suite = /^VERSION_CODENAME=(\S+)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'stable';
  const format = ['indextargets', '--format', '$(REPO_URI)', 'Created-By: Packages', `Codename: ${suite}`];
  const mirror = (await runCommand('apt-get', format, { env })).stdout.split('\n')[0] ?? '';
  if (mirror === '') throw new ToolError(`apt knows no mirror of ${suite} on this machine.`);
  const args = ['--variant=minbase', `--include=${packages.join(',')}`, suite, folder, mirror];
  let last = '';
  const result = await runCommand('debootstrap', args, {
    env,
    signal: deps.signal,
    onLine: (line) => void (last = line),
  });
  if (result.code === 0) return;
  const said = [...result.stdout.trim().split('\n').slice(-3), last].join('\n');
  throw new ToolError(`debootstrap could not make a Debian ${suite}. It said:\n${said}`);
}
