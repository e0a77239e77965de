import { spawn } from 'node:child_process';
import { createWriteStream, existsSync, mkdirSync, renameSync, statSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { endProcesses, findFamily } from './process-table.ts';

export interface ChildOptions {
  name: string;
  argv: string[];
  env: NodeJS.ProcessEnv;
  cwd: string;
  /** Everything it says, stdout and stderr, is appended here. */
  logFile: string;
}

export interface Ending {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** A long-running part of Spoq in a process of its own. */
export interface Child {
  name: string;
  pid: number;
  ended: Promise<Ending>;
  /** The last lines it said, newest last. */
  lastLines(): string[];
  /** The first JSON object on its stdout whose `msg` is `message`. Rejects if the child ends before. */
  waitForMessage(message: string): Promise<Record<string, unknown>>;
  /** Asks it to end; after `graceMs` it is killed, and with it whatever it left behind. */
  stop(graceMs: number): Promise<void>;
}

const KEPT_LINES = 40;
const LOG_LIMIT_BYTES = 20 * 1024 * 1024;

/** Starts a program in a session of its own: Ctrl-C in the terminal reaches only the parent, who ends the parts in order. */
export function startChild(options: ChildOptions): Child {
  const log = openLog(options.logFile);
  const [file = '', ...args] = options.argv;
  const child = spawn(file, args, {
    cwd: options.cwd,
    env: options.env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  const messages: Record<string, unknown>[] = [];
  const listeners = new Set<() => void>();
  let ending: Ending | undefined;

  const read = (stream: NodeJS.ReadableStream, isStdout: boolean): Promise<void> => {
    stream.pipe(log, { end: false });
    const reader = createInterface({ input: stream });
    reader.on('line', (line) => {
      lines.push(line);
      if (lines.length > KEPT_LINES) lines.shift();
      const message = isStdout ? parseMessage(line) : undefined;
      if (message === undefined) return;
      // Only what is said first matters to a waiting parent; the log file has the rest.
      if (messages.length < KEPT_LINES) messages.push(message);
      for (const listener of listeners) listener();
    });
    return new Promise((resolve) => reader.once('close', () => resolve()));
  };
  const drained = Promise.all([read(child.stdout, true), read(child.stderr, false)]);
  const exited = new Promise<Ending>((resolve) => {
    child.once('error', (error) => {
      lines.push(error.message);
      resolve({ code: 127, signal: null });
    });
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  const ended = exited.then((result) => {
    ending = result;
    // A grandchild may hold the pipes open; what the child itself said has arrived by then.
    return Promise.race([drained, new Promise((resolve) => setTimeout(resolve, 200))]).then(() => {
      for (const listener of listeners) listener();
      log.end();
      return result;
    });
  });

  return {
    name: options.name,
    pid: child.pid ?? 0,
    ended,
    lastLines: () => [...lines],
    waitForMessage: (message) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = messages.find((entry) => entry['msg'] === message);
          if (found === undefined && ending === undefined) return;
          listeners.delete(look);
          if (found === undefined) reject(new Error(`${options.name} ended before it was ready`));
          else resolve(found);
        };
        listeners.add(look);
        look();
      }),
    async stop(graceMs) {
      if (child.pid === undefined) return;
      const family = findFamily(child.pid);
      if (ending === undefined) {
        child.kill('SIGTERM');
        let timer: NodeJS.Timeout | undefined;
        await Promise.race([exited, new Promise((resolve) => (timer = setTimeout(resolve, graceMs)))]);
        clearTimeout(timer);
      }
      await endProcesses([...family, ...findFamily(child.pid)], ending === undefined ? 0 : 1000);
      await ended;
    },
  };
}

function parseMessage(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function openLog(file: string): NodeJS.WritableStream {
  mkdirSync(path.dirname(file), { recursive: true });
  if (existsSync(file) && statSync(file).size > LOG_LIMIT_BYTES) renameSync(file, `${file}.1`);
  return createWriteStream(file, { flags: 'a', mode: 0o600 });
}
