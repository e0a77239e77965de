import { readFileSync, readdirSync } from 'node:fs';
import { execFileSync } from 'node:child_process';

/** One row of `ps`. `started` tells two processes with the same pid apart. */
export interface ProcessRow {
  pid: number;
  ppid: number;
  group: number;
  session: number;
  started: string;
  name: string;
}

/** Every process of this machine: from /proc on Linux, which needs no `ps`, else from `ps`. */
export function listProcesses(): ProcessRow[] {
  return process.platform === 'linux' ? listProc() : listPs();
}

function listProc(): ProcessRow[] {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((entry) => readProc(Number(entry)) ?? []);
}

function readProc(pid: number): ProcessRow | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const end = stat.lastIndexOf(')'); // the name in brackets may hold anything, brackets too
    const name = stat.slice(stat.indexOf('(') + 1, end);
    const fields = stat.slice(end + 2).split(' '); // proc(5): state, ppid, pgrp, session, … starttime is the 22nd of all
    if (fields[0] === 'Z') return undefined;
    const [ppid, group, session] = fields.slice(1, 4).map(Number);
    return { pid, ppid: ppid ?? 0, group: group ?? 0, session: session ?? 0, started: fields[19] ?? '', name };
  } catch {
    return undefined; // it ended while we looked
  }
}

function listPs(): ProcessRow[] {
  const text = execFileSync('ps', ['-axo', 'pid=,ppid=,pgid=,lstart=,comm='], { encoding: 'utf8' });
  return text.split('\n').flatMap((line) => {
    const match = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(.{24})\s+(.*)$/.exec(line);
    if (match === null) return [];
    const [, pid, ppid, group, started = '', name = ''] = match;
    return [{ pid: Number(pid), ppid: Number(ppid), group: Number(group), session: Number(group), started, name }];
  });
}

/** The processes that came out of `root`: its descendants, and whoever shares its session after a parent in between has ended. */
export function findFamily(root: number, rows = listProcesses()): ProcessRow[] {
  const family = new Set([root]);
  for (let size = 0; size !== family.size;) {
    size = family.size;
    for (const row of rows)
      if (family.has(row.ppid) || family.has(row.session) || family.has(row.group)) family.add(row.pid);
  }
  return rows.filter((row) => family.has(row.pid));
}

/** Of `rows`, those that still run: same pid and same start. */
export function stillRunning(rows: ProcessRow[]): ProcessRow[] {
  const now = new Map(listProcesses().map((row) => [row.pid, row.started]));
  return rows.filter((row) => now.get(row.pid) === row.started);
}

/**
 * Ends `rows`: SIGTERM, and SIGKILL for who is left after `graceMs`. Answers who had to be killed. Only ever signals processes
 * whose start still matches.
 */
export async function endProcesses(rows: ProcessRow[], graceMs: number): Promise<ProcessRow[]> {
  signalAll(stillRunning(rows), 'SIGTERM');
  const deadline = Date.now() + graceMs;
  let left = stillRunning(rows);
  while (left.length > 0 && Date.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    left = stillRunning(rows);
  }
  signalAll(left, 'SIGKILL');
  return left;
}

/** SIGKILL for those of `rows` that still run. */
export function killProcesses(rows: ProcessRow[]): void {
  signalAll(stillRunning(rows), 'SIGKILL');
}

function signalAll(rows: ProcessRow[], signal: NodeJS.Signals): void {
  for (const row of rows) {
    try {
      process.kill(row.pid, signal);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error; // ESRCH: gone already
    }
  }
}
