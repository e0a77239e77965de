import { spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { WorkError } from '../workplace/workplace.ts';
import type { Place } from './place.ts';

/** Where the comparison with the snapshot is kept: away from the tree, whose own .git is the run's to change or to delete. */
export interface Git {
  /** Every chunk of standard output as it comes. Return false to end it there. Throws WorkError `failed`. */
  read(
    args: string[],
    take: (chunk: Buffer) => boolean | void,
    options?: GitOptions,
  ): Promise<{ code: number | null; stderr: string }>;
  /** Standard output, whole, up to `limit` bytes. */
  run(args: string[], options?: GitOptions & { limit?: number }): Promise<Buffer>;
}

export interface GitOptions {
  /** Exit codes besides 0 that are no failure. */
  codes?: number[];
  /** Lines of standard error as they come, for progress. */
  onError?: (text: string) => void;
  env?: Record<string, string>;
  cwd?: string;
}

const STDERR_KEPT = 2000;
const MAX_OUTPUT = 64 * 1024 * 1024;

/** Every byte as it is in the snapshot: nothing of a project's .gitattributes converts lines or runs filters. */
export const BYTES_AS_THEY_ARE = '* -text -ident -filter -working-tree-encoding\n';

export function createGit(place: Place): Git {
  const fixed = {
    PATH: place.path,
    LC_ALL: 'C.UTF-8',
    HOME: place.notes,
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: path.join(place.notes, 'gitconfig'),
    GIT_TERMINAL_PROMPT: '0',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_DIR: path.join(place.notes, 'base.git'),
    GIT_WORK_TREE: place.tree,
  };
  const git: Git = {
    async read(args, take, { codes = [], onError, env, cwd } = {}) {
      const child = spawn('git', args, {
        cwd: cwd ?? place.tree,
        env: { ...fixed, ...env },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let stderr = '';
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        onError?.(text);
        stderr = (stderr + text).slice(-STDERR_KEPT);
      });
      let isEnough = false;
      const exit = new Promise<number | null>((resolve, reject) => {
        child.once('error', reject);
        child.once('close', resolve);
      });
      exit.catch(() => undefined);
      for await (const chunk of child.stdout) {
        if (take(chunk as Buffer) !== false) continue;
        isEnough = true;
        child.kill('SIGKILL');
        break;
      }
      const code = await exit.catch((cause: Error) => {
        throw new WorkError('failed', `git could not be run: ${cause.message}`, { cause });
      });
      if (isEnough || code === 0 || (code !== null && codes.includes(code))) return { code, stderr };
      throw new WorkError(
        'failed',
        `git ${args.find((arg) => /^[a-z]/.test(arg)) ?? ''} failed: ${stderr.trim().slice(-500)}`,
      );
    },
    async run(args, options = {}) {
      const { limit = MAX_OUTPUT } = options;
      const chunks: Buffer[] = [];
      let bytes = 0;
      await git.read(
        args,
        (chunk) => {
          bytes += chunk.length;
          chunks.push(chunk);
          return bytes <= limit;
        },
        options,
      );
      if (bytes > limit) throw new WorkError('too_large', `That is more than ${limit} bytes.`);
      return Buffer.concat(chunks);
    },
  };
  return git;
}

/** The folder of notes, as git needs it. */
export async function writeNotes({ notes }: Place): Promise<void> {
  await mkdir(notes, { recursive: true, mode: 0o700 });
  const config = [
    // The snapshots belong to the owner of the box, and are read only.
    '[safe]\n\tdirectory = *',
    '[core]\n\tquotePath = false\n\tfsmonitor = false\n\thooksPath = /dev/null\n\tautocrlf = false',
    '[init]\n\tdefaultBranch = main',
    '[advice]\n\taddEmbeddedRepo = false\n\tdetachedHead = false',
    '[gc]\n\tauto = 0',
  ];
  await writeFile(path.join(notes, 'gitconfig'), `${config.join('\n')}\n`);
}
