import { SpoqError } from '../../contract/errors.ts';
import type { CliDeps, Key, Terminal } from '../deps.ts';
import { createHttpClient } from '../http/client.ts';

export interface TestDeps extends CliDeps {
  /** What was written so far. */
  out(): string;
  err(): string;
  /** How long was waited, in milliseconds, in order. No time passes. */
  waits: number[];
  /** Presses a key, as a terminal that listens would tell. */
  press(key: Partial<Key>): void;
  /** URLs that the browser was started with. */
  opened: string[];
  /** Questions that were asked. */
  asked: string[];
  /** What was written as bytes. */
  bytes: { stdout: Uint8Array[]; stderr: Uint8Array[] };
  /** Presses Ctrl-C where somebody listens for it. */
  interrupt(): void;
  stop: AbortController;
}

export interface TestDepsOptions extends Partial<
  Pick<CliDeps, 'env' | 'cwd' | 'homeFolder' | 'platform' | 'executable' | 'now' | 'http' | 'sleep'>
> {
  tty?: boolean;
  columns?: number;
  stdin?: string;
  answer?: boolean;
  /** What is chosen, in order; the last one again and again. */
  choices?: string[];
  /** What comes on stdin, instead of a text. */
  input?: () => AsyncIterable<Uint8Array>;
  terminal?: Terminal;
  /** What is typed where a secret is asked for; Ctrl-C when left out. */
  secret?: string;
}

/** Dependencies that record everything. Waiting moves the clock and settles at once. */
export function createTestDeps(options: TestDepsOptions = {}): TestDeps {
  const written = { out: '', err: '' };
  const listeners = new Set<(key: Key) => void>();
  const stop = new AbortController();
  const isTTY = options.tty ?? false;
  const columns = options.columns ?? 80;
  let clock = Date.parse('2026-01-02T03:04:05Z');
  const interruptListeners = new Set<() => void>();
  let choices = options.choices ?? [];
  const deps: TestDeps = {
    stdout: { isTTY, columns, write: (text) => Promise.resolve(void (written.out += text)) },
    stderr: { isTTY, columns, write: (text) => Promise.resolve(void (written.err += text)) },
    stdin: {
      isTTY: isTTY && options.stdin === undefined && (options.input === undefined || options.terminal !== undefined),
      piped: options.stdin !== undefined || (options.input !== undefined && options.terminal === undefined),
      async *chunks() {
        if (options.input !== undefined) yield* options.input();
        if (options.stdin) yield Buffer.from(options.stdin);
      },
      close: () => undefined,
    },
    env: { PATH: process.env.PATH, SPOQ_VPS_MARKER: '/nonexistent/vps.marker', ...options.env },
    platform: options.platform ?? 'linux',
    arch: 'x64',
    executable: options.executable,
    hostname: 'test-laptop',
    cwd: options.cwd ?? '/',
    homeFolder: options.homeFolder ?? '/nonexistent/home',
    http: options.http ?? createHttpClient('0.0.0-test', { connectMs: 2000, idleMs: 2000, slowestUpload: 1000 }),
    openUrl: (url) => void deps.opened.push(url),
    confirm: (question) => {
      deps.asked.push(question);
      return Promise.resolve(options.answer ?? false);
    },
    choose: async (question, _choices, signal) => {
      deps.asked.push(question);
      signal.throwIfAborted();
      const [first = 'deny', ...rest] = choices;
      if (rest.length > 0) choices = rest;
      return first;
    },
    writeBytes: async (stream, data) => void deps.bytes[stream].push(data),
    ...(options.terminal === undefined ? {} : { terminal: options.terminal }),
    onInterrupt(tell) {
      interruptListeners.add(tell);
      return () => interruptListeners.delete(tell);
    },
    bytes: { stdout: [], stderr: [] },
    interrupt() {
      for (const tell of interruptListeners) tell();
    },
    askSecret: async (question) => {
      deps.asked.push(question);
      if (options.secret === undefined) throw new SpoqError('cancelled');
      return options.secret;
    },
    keyboard: {
      listen(onKey) {
        listeners.add(onKey);
        return () => void listeners.delete(onKey);
      },
    },
    press(key) {
      [...listeners].at(-1)?.({ name: undefined, text: '', ctrl: false, meta: false, ...key });
    },
    now: options.now ?? (() => clock),
    sleep:
      options.sleep ??
      (async (ms, signal) => {
        signal.throwIfAborted();
        deps.waits.push(ms);
        clock += ms;
      }),
    signal: stop.signal,
    out: () => written.out,
    err: () => written.err,
    waits: [],
    opened: [],
    asked: [],
    stop,
  };
  return deps;
}
