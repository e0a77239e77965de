import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Console } from './console.ts';
import { endStrayProcess } from './stray-process.ts';

/** What the conductor says on stdout once both its listeners answer. */
const Listening = z.looseObject({ msg: z.literal('listening'), port: z.number().int() });

/** Below the machine's folder. */
export const PID_FILE = 'conductor.pid';

const FIRST_BACKOFF_MS = 200;
const LONGEST_BACKOFF_MS = 10_000;
/** A process that ran this long is well: the next one starts without waiting. */
const WELL_AFTER_MS = 10_000;
/** From SIGTERM to SIGKILL: the conductor lets answers end for 8 s. */
const GRACE_MS = 10_000;

export interface ConductorOptions {
  argv: readonly string[];
  env: Record<string, string>;
  /** The machine's folder: holds the process id, so that a restarted sandbox can end what a killed one left. */
  folder: string;
  console: Console;
  onListening: (port: number) => void;
}

export interface ConductorProcess {
  listening(): boolean;
  restarting(): boolean;
  /** Ends it for good; resolves when the process is gone. */
  stop(): Promise<void>;
}

/** Keeps one conductor running: starts it, and starts it again with growing pauses when it dies. */
export async function startConductor(options: ConductorOptions): Promise<ConductorProcess> {
  const { argv, env, console, folder } = options;
  const [command, ...args] = argv;
  if (command === undefined) throw new Error('The conductor has no command');
  const pidFile = join(folder, PID_FILE);
  await endStrayProcess(pidFile, folder);
  mkdirSync(join(folder, 'state'), { recursive: true });
  let child: ChildProcess | undefined;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  let listening = false;
  let starts = 0;
  let backoff = FIRST_BACKOFF_MS;

  const start = (): void => {
    const began = Date.now();
    starts += 1;
    const started = spawn(command, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
    child = started;
    if (started.pid !== undefined) writeFileSync(pidFile, String(started.pid));
    console.follow(started.stdout, (line) => {
      const port = parsePort(line);
      if (port === undefined) return;
      listening = true;
      options.onListening(port);
    });
    console.follow(started.stderr);
    let ended = false;
    const onEnd = (reason: string): void => {
      if (ended) return;
      ended = true;
      child = undefined;
      listening = false;
      rmSync(pidFile, { force: true });
      if (stopped) return;
      backoff = Date.now() - began > WELL_AFTER_MS ? FIRST_BACKOFF_MS : Math.min(backoff * 2, LONGEST_BACKOFF_MS);
      console.say(`conductor ended (${reason}); starting again in ${backoff} ms`);
      timer = setTimeout(start, backoff);
      timer.unref();
    };
    started.once('error', (error) => onEnd(error.message));
    started.once('exit', (code, signal) => onEnd(signal ?? `exit code ${code}`));
  };
  start();

  return {
    listening: () => listening,
    restarting: () => !listening && starts > 1,
    async stop() {
      stopped = true;
      clearTimeout(timer);
      if (child) await endChild(child);
      rmSync(pidFile, { force: true });
    },
  };
}

function parsePort(line: string): number | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return Listening.safeParse(JSON.parse(line)).data?.port;
  } catch {
    return undefined;
  }
}

async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const gone = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
  });
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), GRACE_MS);
  await gone;
  clearTimeout(timer);
}
