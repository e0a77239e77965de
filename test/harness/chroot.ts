import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { findOnPath, runCommand } from '../../tools/run-command.ts';
import type { CommandResult } from '../../tools/run-command.ts';
import { withSystemFolders } from '../../tools/trees.ts';

/** The person in a chroot, who is nobody special. */
const ADA = 1000;
export const HOME = '/home/ada';
const TOOLS = '/opt/tools';

export interface ChrootRun {
  /** Lines for the shell `shell` (a path in there), which is given on its command line. */
  script: string;
  shell: string;
  env?: Record<string, string>;
  /** Programs that this one does without: PATH has everything else. */
  without?: readonly string[];
  /** As root instead of as ada. */
  asRoot?: boolean;
  /** The home folder is on a file system that can't be written. */
  readOnlyHome?: boolean;
  /** Files that are there before, by path, executable. */
  files?: Record<string, string>;
}

export interface ChrootResult extends CommandResult {
  /** What is there afterwards and was not, or is another file now: paths, sorted. Folders end in a slash. */
  changed: string[];
  /** The text of a file of `changed`. */
  read: (file: string) => string | undefined;
}

/** Why nothing can be run in a chroot here; undefined where it can. */
export async function whyNoChroot(): Promise<string | undefined> {
  if (process.platform !== 'linux') return 'this is not Linux';
  if (process.getuid?.() !== 0) return 'this is not root';
  const { code, stderr } = await runCommand('unshare', ['--mount', '--propagation', 'private', 'true']);
  return code === 0 ? undefined : `no mount namespace can be made (${stderr.trim()})`;
}

/** A root file system that holds Debian's static busybox, its names, and nothing else. Undefined where busybox is missing. */
export async function makeBusyboxTree(folder: string): Promise<string | undefined> {
  const busybox = findOnPath('busybox', process.env['PATH']);
  if (busybox === undefined) return undefined;
  for (const name of ['bin', 'dev', 'proc', 'tmp']) mkdirSync(path.join(folder, name), { recursive: true });
  copyFileSync(busybox, path.join(folder, 'bin', 'busybox'));
  chmodSync(path.join(folder, 'bin', 'busybox'), 0o755);
  const { code } = await runCommand('chroot', [folder, '/bin/busybox', '--install', '-s', '/bin']);
  return code === 0 ? folder : undefined;
}

/** The arguments are the environment inside. */
const MOUNT = `set -e
chroot=$(command -v chroot)
mount -t overlay overlay -o "lowerdir=$layer:$tree,upperdir=$upper,workdir=$work" "$root"
mount --rbind /dev "$root/dev"
mount --bind /proc "$root/proc"
if [ -n "$sealed" ]; then mount --bind "$root${HOME}" "$root${HOME}"; mount -o remount,bind,ro "$root${HOME}"; fi
exec env -i "$@" "$chroot" --userspec="$user" "$root" "$shell" -c "$script"`;

/**
 * Runs a shell in a root file system of its own: an overlay over `tree`, which stays as it is, in a mount namespace that ends with
 * the shell. The network is this machine's.
 */
export async function runInChroot(tree: string, options: ChrootRun): Promise<ChrootResult> {
  const { script, shell, env = {}, asRoot = false, readOnlyHome = false } = options;
  const folder = mkdtempSync(path.join(tmpdir(), 'spoq-chroot-'));
  const at = (name: string): string => path.join(folder, name);
  try {
    for (const name of ['layer', 'upper', 'work', 'root']) mkdirSync(at(name));
    fillLayer(at('layer'), tree, options);
    const inside = { PATH: TOOLS, HOME: asRoot ? '/root' : HOME, SHELL: '/bin/bash', ...env };
    const words = Object.entries(inside).map((pair) => pair.join('='));
    const result = await runCommand(
      'unshare',
      ['--mount', '--propagation', 'private', 'sh', '-c', MOUNT, 'sh', ...words],
      {
        env: {
          PATH: withSystemFolders(process.env['PATH']),
          layer: at('layer'),
          upper: at('upper'),
          work: at('work'),
          root: at('root'),
          tree,
          shell,
          script,
          user: asRoot ? '0:0' : `${ADA}:${ADA}`,
          sealed: readOnlyHome ? '1' : '',
        },
        timeoutMs: 60_000,
      },
    );
    const changed = listChanges(at('upper'), [at('layer'), tree]);
    const texts = new Map(
      changed
        .filter((name) => !name.endsWith('/'))
        .map((name) => [name, readFileSync(path.join(at('upper'), name), 'utf8')]),
    );
    return { ...result, changed, read: (file) => texts.get(file) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What a run has beside its tree: ada's home, files that are there before, and a PATH without some programs. */
function fillLayer(layer: string, tree: string, { without = [], files = {} }: ChrootRun): void {
  const home = path.join(layer, HOME);
  for (const folder of [home, path.join(layer, TOOLS)]) mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(layer, name)), { recursive: true });
    writeFileSync(path.join(layer, name), text, { mode: 0o755 });
  }
  for (const name of ['', ...readdirSync(home, { recursive: true, encoding: 'utf8' })])
    chownSync(path.join(home, name), ADA, ADA);
  for (const name of readdirSync(path.join(tree, 'bin')))
    if (!without.includes(name)) symlinkSync(`/bin/${name}`, path.join(layer, TOOLS, name));
}

/** What an overlay's upper folder holds that none of the lower ones has. */
function listChanges(upper: string, lower: readonly string[]): string[] {
  const names = readdirSync(upper, { recursive: true, encoding: 'utf8' });
  const changed = names.flatMap((name) => {
    const info = lstatSync(path.join(upper, name));
    // A character device marks what was removed; a folder that was there is copied when something in it changes.
    if (info.isCharacterDevice())
      return lower.some((folder) => existsSync(path.join(folder, name))) ? [`-/${name}`] : [];
    if (!info.isDirectory()) return [`/${name}`];
    return lower.some((folder) => existsSync(path.join(folder, name))) ? [] : [`/${name}/`];
  });
  return changed.sort();
}
