import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';

export interface RunOptions {
  cwd: string;
  env: Record<string, string>;
  /** The program; `node cli/main.ts` when left out. */
  program?: string[];
  /** Written to stdin, which is then closed. 'open': a pipe that nobody writes to. Left out: /dev/null. */
  stdin?: string | 'open';
}

export interface RunningSpoq {
  child: ChildProcess;
  /** What came so far. */
  out(): string;
  err(): string;
  /** Settles as soon as stdout holds this. Rejects when the process ends without it. */
  waitForOut(text: string): Promise<void>;
  ended: Promise<{ code: number | null; out: string; err: string }>;
}

export const SOURCE_PROGRAM = [process.execPath, join(import.meta.dirname, '..', 'main.ts')];

/** Starts a real `spoq` process that can't see the sign-in, the marker or the colours of this machine. */
export function startSpoq(args: string[], options: RunOptions): RunningSpoq {
  const [program = '', ...first] = options.program ?? SOURCE_PROGRAM;
  const env = { PATH: process.env.PATH ?? '', SPOQ_VPS_MARKER: '/nonexistent/vps.marker', ...options.env };
  const stdin = options.stdin === undefined ? 'ignore' : 'pipe';
  const child = spawn(program, [...first, ...args], { cwd: options.cwd, env, stdio: [stdin, 'pipe', 'pipe'] });
  if (options.stdin !== undefined && options.stdin !== 'open') child.stdin?.end(options.stdin);
  let out = '';
  let err = '';
  const listeners = new Set<() => void>();
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    out += text;
    for (const listener of listeners) listener();
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (err += text));
  const ended = new Promise<{ code: number | null; out: string; err: string }>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, out, err }));
  });
  return {
    child,
    out: () => out,
    err: () => err,
    waitForOut: (text) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (!out.includes(text)) return;
          listeners.delete(look);
          resolve();
        };
        listeners.add(look);
        look();
        ended.then(() => reject(new Error(`spoq ended without ${text}: ${out}${err}`)), reject);
      }),
    ended,
  };
}

/** Runs `spoq` to its end. */
export function runSpoq(args: string[], options: RunOptions): RunningSpoq['ended'] {
  return startSpoq(args, options).ended;
}
