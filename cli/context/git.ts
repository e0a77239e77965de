import { execFile } from 'node:child_process';
import type { CliDeps } from '../deps.ts';

export interface Repository {
  /** Absolute, without symbolic links. */
  root: string;
  tracked: string[];
  /** Neither tracked nor ignored. */
  untracked: string[];
}

/** A repository of a million files has about 80 MB of names. */
const MAX_OUTPUT_BYTES = 128 * 1024 * 1024;
/** Listing must not run what the repository's own configuration names (a file system monitor, hooks), nor write to it. */
const SAFE_FLAGS = ['-c', 'core.fsmonitor=false', '-c', 'core.hooksPath=/dev/null'];

/**
 * The git repository around `folder`, its paths relative to its root; `undefined` outside of one or without git. With `under`
 * only files in that folder are listed.
 */
export async function findRepository(
  deps: Pick<CliDeps, 'env'>,
  folder: string,
  under?: string,
): Promise<Repository | undefined> {
  const top = await runGit(deps, folder, ['rev-parse', '--show-toplevel']);
  const root = top?.replace(/\r?\n$/, '');
  if (!root) return undefined;
  const scope = ['--', under ?? '.'];
  const where = under === undefined ? root : folder;
  const [tracked, untracked] = await Promise.all([
    runGit(deps, where, ['ls-files', '-z', '--full-name', ...scope]),
    runGit(deps, where, ['ls-files', '-z', '--full-name', '--others', '--exclude-standard', ...scope]),
  ]);
  if (tracked === undefined || untracked === undefined) return undefined;
  return { root, tracked: splitPaths(tracked), untracked: splitPaths(untracked) };
}

function splitPaths(output: string): string[] {
  return [...new Set(output.split('\0').filter((path) => path !== ''))];
}

/** What git says on stdout, or `undefined` when it fails: no git, no repository, or one that git itself doesn't trust. */
function runGit(deps: Pick<CliDeps, 'env'>, cwd: string, args: string[]): Promise<string | undefined> {
  const env = { ...deps.env, GIT_OPTIONAL_LOCKS: '0', LC_ALL: 'C' };
  return new Promise((resolve) => {
    execFile('git', [...SAFE_FLAGS, ...args], { cwd, env, maxBuffer: MAX_OUTPUT_BYTES }, (error, stdout) =>
      resolve(error === null ? stdout : undefined),
    );
  });
}
