import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openSyncBox, SYNC_BOX_PORT } from '../test/harness/sync-box.ts';
import { findOnPath } from '../tools/run-command.ts';
import { formatSummary, summarize, summarizeRatio } from './statistics.ts';
import { editTree, makeTree, renameVendor, WHOLE } from './sync-tree.ts';

export const SYNC_STEPS = ['first', 'nothing', 'one line', '200 files', 'a folder renamed'] as const;
const RENAMED = 'a folder renamed';
export type SyncStep = (typeof SYNC_STEPS)[number];

/** Milliseconds of the whole process, by step and round. */
type Times = Record<SyncStep, number[]>;
const WAYS = ['rsync', 'rsync -z', 'spoq'] as const;
type Way = (typeof WAYS)[number];

export interface SyncTimes {
  /** Within this computer, and over a line such as a laptop has. */
  near: Record<Way, Times>;
  line: Record<Way, Times>;
  /** Bytes of contents that spoq sent for the renamed folder. */
  renamed_bytes: number;
}

/** A good line at home, and a box in the same country. */
const LINE = { megabits: 200, round_trip_ms: 20 };

/** The bounds that have to hold within this computer, as ratios to rsync. */
const BOUNDS: Partial<Record<SyncStep, number>> = { first: 1, nothing: 0.3, 'one line': 0.3 };
const SSH_PORT = 24_022;
/** Where the line begins, to Caddy and to sshd. */
const LINE_PORTS = { caddy: 24_444, ssh: 24_023 };

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
  const empty = (): Times => Object.fromEntries(SYNC_STEPS.map((step) => [step, [] as number[]])) as Times;
  const all = (): Record<Way, Times> => ({ rsync: empty(), 'rsync -z': empty(), spoq: empty() });
  const times: SyncTimes = { near: all(), line: all(), renamed_bytes: 0 };
  const tree = path.join(dir, 'tree');
  if (!existsSync(tree)) makeTree(tree, WHOLE);
  const ends: (() => Promise<void>)[] = [];
  try {
    const ssh = await startSshd(path.join(dir, 'ssh'), options.searchPath);
    ends.push(() => ssh.close());
    for (const [from, to] of [
      [LINE_PORTS.caddy, SYNC_BOX_PORT],
      [LINE_PORTS.ssh, SSH_PORT],
    ] as const)
      ends.push(await startLine(from, to));
    for (let round = 0; round < rounds; round++) {
      const place = { ...options, tree, ssh: ssh.command };
      options.onRound?.(`round ${round + 1} of ${rounds}`);
      times.renamed_bytes += await playRound(times.near, { ...place, ports: { caddy: SYNC_BOX_PORT, ssh: SSH_PORT } });
      options.onRound?.(`round ${round + 1} of ${rounds}, over a line`);
      times.renamed_bytes += await playRound(times.line, { ...place, ports: LINE_PORTS });
    }
  } finally {
    for (const end of ends.toReversed()) await end();
  }
  return times;
}

interface Round extends SyncBenchOptions {
  tree: string;
  ports: { caddy: number; ssh: number };
  ssh(port: number): string;
}

/** Answers how many bytes of contents the renamed folder took. */
async function playRound(times: Record<Way, Times>, { dir, tree, ports, ssh, ...options }: Round): Promise<number> {
  const at = (name: string): string => path.join(dir, name);
  const copies = { rsync: at('copy'), 'rsync -z': at('copy-z') };
  const box = await openSyncBox(at('box'), options.conductor, ports.caddy);
  const [program = '', ...args] = options.spoq;
  let renamed = 0;
  try {
    for (const step of SYNC_STEPS) {
      if (step === 'one line') editTree(tree, 1);
      if (step === '200 files') editTree(tree, 200);
      if (step === RENAMED) renameVendor(tree);
      await sleep(300); // What was left to be done after an answer is done.
      for (const [way, flags] of [
        ['rsync', '-a'],
        ['rsync -z', '-az'],
      ] as const) {
        const argv = [flags, '--delete', '-e', ssh(ports.ssh), `${tree}/`, `root@127.0.0.1:${copies[way]}/`];
        times[way][step].push(time(() => execFileSync('rsync', argv)));
      }
      let said = '';
      const argv = [...args, 'sync', ...(step === RENAMED ? ['--json'] : [])];
      const setting = { cwd: tree, env: box.env, encoding: 'utf8', stdio: 'pipe', maxBuffer: 1 << 26 } as const;
      times.spoq[step].push(
        time(() => {
          said = execFileSync(program, argv, setting);
        }),
      );
      if (step === RENAMED) renamed = (JSON.parse(said.trim().split('\n').at(-1) ?? '') as Sent).sent_bytes;
    }
    for (const copy of [path.join(box.workspaces, 'tree'), ...Object.values(copies)])
      execFileSync('diff', ['-r', tree, copy]);
  } finally {
    await box.close();
    for (const one of [at('box'), ...Object.values(copies)]) rmSync(one, { recursive: true, force: true });
  }
  return renamed;
}

interface Sent {
  sent_bytes: number;
}

/** A process that plays the line; answers how to end it. */
async function startLine(from: number, to: number): Promise<() => Promise<void>> {
  const argv = [path.join(import.meta.dirname, 'line', 'main.ts'), from, to, LINE.megabits, LINE.round_trip_ms];
  const line = spawn(process.execPath, argv.map(String), { stdio: ['ignore', 'pipe', 'inherit'] });
  const [said] = await Promise.race([once(line.stdout, 'data'), once(line, 'exit')]);
  if (!Buffer.isBuffer(said)) throw new Error(`The line to port ${to} has ended before it began.`);
  return async () => {
    const ended = once(line, 'exit');
    line.kill('SIGTERM');
    await ended;
  };
}

function time(work: () => void): number {
  const began = performance.now();
  work();
  return performance.now() - began;
}

async function startSshd(
  folder: string,
  searchPath: string,
): Promise<{ command(port: number): string; close(): Promise<void> }> {
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
    command: (port) =>
      `ssh -F none -p ${port} -i ${at('key')} -o StrictHostKeyChecking=no -o LogLevel=ERROR -o UserKnownHostsFile=/dev/null`,
    async close() {
      const ended = once(sshd, 'exit');
      sshd.kill('SIGTERM');
      await ended;
    },
  };
}

/** The section of docs/performance.md. */
export function renderSync({ near, line, renamed_bytes: renamed }: SyncTimes): string {
  const show = (times: number[]): string => formatSummary(summarize(times));
  const ratio = (a: number[], b: number[]): string => formatSummary(summarizeRatio(a, b), 2);
  const row = (times: Record<Way, Times>, step: SyncStep): string =>
    `| ${step} | ${WAYS.map((way) => show(times[way][step])).join(' | ')} | **${ratio(times.spoq[step], times.rsync[step])}** | ${ratio(times.spoq[step], times['rsync -z'][step])} |`;
  return `## Sync

A tree of 20,000 files, 298 MB and some 800 folders, in memory; all as whole processes, in turn. *rsync* is \`rsync -a --delete\` over
SSH with a server of its own, *rsync -z* the same with packing; *spoq* goes through Caddy with TLS, the conductor, and the program that
keeps the files. After each round the trees are compared.

| within this computer, ms | rsync | rsync -z | spoq | ratio to rsync | to rsync -z | wanted, at most |
|---|---|---|---|---|---|---|
${SYNC_STEPS.map((step) => `${row(near, step)} ${BOUNDS[step] ?? ''} |`).join('\n')}

| over ${LINE.megabits} Mbit/s and ${LINE.round_trip_ms} ms there and back, ms | rsync | rsync -z | spoq | ratio to rsync | to rsync -z |
|---|---|---|---|---|---|
${SYNC_STEPS.map((step) => row(line, step)).join('\n')}

The renamed folder sends ${renamed} bytes of contents; rsync sends it again. The line is a program between both ends.
`;
}

/** What doesn't hold. */
export function listSyncFailures({ near, renamed_bytes: renamed }: SyncTimes): string[] {
  const slow = SYNC_STEPS.flatMap((step) => {
    const bound = BOUNDS[step];
    const ratio = summarizeRatio(near.spoq[step], near.rsync[step]).median;
    return bound === undefined || ratio <= bound
      ? []
      : [`sync, ${step}: ${ratio.toFixed(2)} of rsync's time, wanted at most ${bound}`];
  });
  return renamed === 0 ? slow : [...slow, `sync: a renamed folder sent ${renamed} bytes`];
}
