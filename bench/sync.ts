import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openSyncBox } from '../test/harness/sync-box.ts';
import { findOnPath } from '../tools/run-command.ts';
import { formatSummary, summarize, summarizeRatio } from './statistics.ts';
import { editTree, makeTree, renameVendor, WHOLE } from './sync-tree.ts';

export const SYNC_STEPS = ['first', 'nothing', 'one line', '200 files', 'a folder renamed'] as const;
const RENAMED = 'a folder renamed';
export type SyncStep = (typeof SYNC_STEPS)[number];

export interface SyncTimes {
  /** Milliseconds of the whole process, by step and round. */
  spoq: Record<SyncStep, number[]>;
  rsync: Record<SyncStep, number[]>;
  /** Bytes of contents that spoq sent for the renamed folder. */
  renamed_bytes: number;
}

/** The bounds that have to hold, as ratios to rsync. */
const BOUNDS: Partial<Record<SyncStep, number>> = { first: 1, nothing: 0.3, 'one line': 0.3 };
const SSH_PORT = 24_022;

export interface SyncBenchOptions {
  /** On one file system, in memory best: disks swing. */
  dir: string;
  spoq: readonly string[];
  conductor: readonly string[];
  /** Where programs are found. */
  searchPath: string;
  rounds: number;
  onRound?: (text: string) => void;
}

/** What this machine lacks for the comparison; empty when nothing. */
export function listMissingPeers(searchPath: string): string[] {
  const peers = { rsync: 'rsync', sshd: 'openssh-server', ssh: 'openssh-client', caddy: 'caddy', openssl: 'openssl' };
  return Object.entries(peers).flatMap(([program, name]) =>
    findOnPath(program, `${searchPath}:/usr/sbin`) === undefined ? [name] : [],
  );
}

/** Syncs one tree with spoq and with rsync over SSH, in turn, and compares what has arrived after each round. */
export async function measureSync(options: SyncBenchOptions): Promise<SyncTimes> {
  const { dir, rounds } = options;
  const empty = (): Record<SyncStep, number[]> => ({
    first: [],
    nothing: [],
    'one line': [],
    '200 files': [],
    'a folder renamed': [],
  });
  const times: SyncTimes = { spoq: empty(), rsync: empty(), renamed_bytes: 0 };
  const tree = path.join(dir, 'tree');
  if (!existsSync(tree)) makeTree(tree, WHOLE);
  const ssh = await startSshd(path.join(dir, 'ssh'), options.searchPath);
  try {
    for (let round = 0; round < rounds; round++) {
      options.onRound?.(`round ${round + 1} of ${rounds}`);
      const boxFolder = path.join(dir, `box${round}`);
      const copy = path.join(dir, 'copy');
      const box = await openSyncBox(boxFolder, options.conductor);
      try {
        for (const step of SYNC_STEPS) {
          if (step === 'one line') editTree(tree, 1);
          if (step === '200 files') editTree(tree, 200);
          if (step === RENAMED) renameVendor(tree);
          await sleep(300); // What was left to be done after an answer is done.
          times.rsync[step].push(
            time(() =>
              execFileSync('rsync', ['-a', '--delete', '-e', ssh.command, `${tree}/`, `root@127.0.0.1:${copy}/`]),
            ),
          );
          let said = '';
          times.spoq[step].push(
            time(() => {
              said = execFileSync(
                options.spoq[0] ?? '',
                [...options.spoq.slice(1), 'sync', ...(step === RENAMED ? ['--json'] : [])],
                {
                  cwd: tree,
                  env: box.env,
                  encoding: 'utf8',
                  stdio: 'pipe',
                  maxBuffer: 1 << 26,
                },
              );
            }),
          );
          if (step === RENAMED)
            times.renamed_bytes = (
              JSON.parse(said.trim().split('\n').at(-1) ?? '') as { sent_bytes: number }
            ).sent_bytes;
        }
        execFileSync('diff', ['-r', tree, path.join(box.workspaces, 'tree')]);
        execFileSync('diff', ['-r', tree, copy]);
      } finally {
        await box.close();
        rmSync(boxFolder, { recursive: true, force: true });
        rmSync(copy, { recursive: true, force: true });
      }
    }
  } finally {
    await ssh.close();
  }
  return times;
}

function time(work: () => void): number {
  const began = performance.now();
  work();
  return performance.now() - began;
}

async function startSshd(folder: string, searchPath: string): Promise<{ command: string; close(): Promise<void> }> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  mkdirSync('/run/sshd', { recursive: true });
  const at = (name: string): string => path.join(folder, name);
  for (const name of ['key', 'host']) {
    rmSync(at(name), { force: true });
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', at(name)]);
  }
  const config = [
    'HostKey ' + at('host'),
    'AuthorizedKeysFile ' + at('key.pub'),
    `Port ${SSH_PORT}`,
    'ListenAddress 127.0.0.1',
    'StrictModes no',
    'PermitRootLogin prohibit-password',
    'UsePAM no',
    'PidFile none',
  ];
  writeFileSync(at('config'), `${config.join('\n')}\n`);
  const sshd: ChildProcess = spawn(
    findOnPath('sshd', `${searchPath}:/usr/sbin`) ?? 'sshd',
    ['-D', '-f', at('config')],
    { stdio: 'ignore' },
  );
  await sleep(500);
  return {
    command: `ssh -F none -p ${SSH_PORT} -i ${at('key')} -o StrictHostKeyChecking=no -o LogLevel=ERROR -o UserKnownHostsFile=/dev/null`,
    async close() {
      const ended = once(sshd, 'exit');
      sshd.kill('SIGTERM');
      await ended;
    },
  };
}

/** The section of docs/performance.md. */
export function renderSync({ spoq, rsync, renamed_bytes: renamed }: SyncTimes): string {
  const rows = SYNC_STEPS.map((step) => {
    const ratio = formatSummary(summarizeRatio(spoq[step], rsync[step]), 2);
    return `| ${step} | ${formatSummary(summarize(rsync[step]))} | ${formatSummary(summarize(spoq[step]))} | **${ratio}** | ${BOUNDS[step] ?? ''} |`;
  });
  return `## Sync

A tree of 20,000 files, 298 MB and some 800 folders, in memory; both as whole processes, in turn. *rsync* is \`rsync -a --delete\` over
SSH with a server of its own; *spoq* goes through Caddy with TLS, the conductor, and the program that keeps the files. After each round
the trees are compared.

| | rsync, ms | spoq, ms | ratio | wanted, at most |
|---|---|---|---|---|
${rows.join('\n')}

The renamed folder sends ${renamed} bytes of contents; rsync sends it again.
`;
}

/** What doesn't hold. */
export function listSyncFailures({ spoq, rsync, renamed_bytes: renamed }: SyncTimes): string[] {
  const slow = SYNC_STEPS.flatMap((step) => {
    const bound = BOUNDS[step];
    const ratio = summarizeRatio(spoq[step], rsync[step]).median;
    return bound === undefined || ratio <= bound
      ? []
      : [`sync, ${step}: ${ratio.toFixed(2)} of rsync's time, wanted at most ${bound}`];
  });
  return renamed === 0 ? slow : [...slow, `sync: a renamed folder sent ${renamed} bytes`];
}
