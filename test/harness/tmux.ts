import { execFile, spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { waitFor } from './wait.ts';

const run = promisify(execFile);
const ROWS = 50;
/** A busy machine starts a dozen programs at once. */
const PATIENCE_MS = 20_000;

/** A window of tmux, in which a program runs on a terminal of its own. */
export interface Window {
  /** Its width when it was opened. */
  columns: number;
  /** Keys as tmux names them: Enter, C-c, Escape. */
  press(...keys: string[]): Promise<void>;
  type(text: string): Promise<void>;
  /** As a terminal pastes: marked, if the program has asked for it. */
  paste(text: string): Promise<void>;
  resize(columns: number): Promise<void>;
  /** What was shown from the beginning, a line for each that was written: one that did not fit is longer than the window. */
  lines(): Promise<string[]>;
  /** Waits until the program has written this, wherever it is broken into lines. */
  see(text: string): Promise<void>;
  /** Waits until it is on the screen. */
  show(text: string): Promise<void>;
  /** The column of the cursor, from 0. */
  cursor(): Promise<number>;
  /** All that the program has sent. */
  sent(): Promise<string>;
  /** The exit code, once it has ended. */
  ended(): Promise<number>;
}

export interface Tmux extends AsyncDisposable {
  open(options: { columns: number; command: string[]; cwd: string; env: Record<string, string> }): Promise<Window>;
}

/** Why there can be no windows here; undefined where there can. script(1) records what a program sends. */
export function missingForTmux(): string | undefined {
  const missing = [
    ['tmux', '-V'],
    ['script', '--version'],
  ].filter(([program = '', flag = '']) => spawnSync(program, [flag]).status !== 0);
  return missing.length === 0 ? undefined : `${missing.map(([name]) => name).join(' and ')} not installed`;
}

/** A tmux of its own, without anybody's configuration. `patienceMs`: how long its windows wait. */
export async function startTmux(patienceMs = PATIENCE_MS): Promise<Tmux> {
  const folder = await mkdtemp(path.join(tmpdir(), 'spoq-tmux-'));
  const socket = path.join(folder, 'socket');
  const call = async (...args: string[]): Promise<string> => {
    const env = { PATH: process.env['PATH'], LC_ALL: 'C.UTF-8', TERM: 'xterm-256color' };
    return (await run('tmux', ['-u', '-S', socket, '-f', '/dev/null', ...args], { env })).stdout;
  };
  await call('new-session', '-d', '-s', 'first', 'cat', ';', 'set', '-g', 'remain-on-exit', 'on');
  return {
    async open({ columns, command, cwd, env }) {
      const name = randomUUID();
      const record = path.join(folder, name);
      const variables = Object.entries(env).map(([key, value]) => `${key}=${value}`);
      const inner = ['exec', 'env', '-i', ...variables, ...command].map(quote).join(' ');
      const outer = `SHELL=/bin/sh script -qefc ${quote(inner)} ${quote(record)}; echo $? > ${quote(`${record}.part`)}; mv ${quote(`${record}.part`)} ${quote(`${record}.exit`)}`;
      await call('new-session', '-d', '-s', name, '-x', String(columns), '-y', String(ROWS), '-c', cwd, outer);
      return { columns, ...createWindow(call, name, record, patienceMs) };
    },
    async [Symbol.asyncDispose]() {
      await call('kill-server');
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function createWindow(
  call: (...args: string[]) => Promise<string>,
  name: string,
  record: string,
  patienceMs: number,
): Omit<Window, 'columns'> {
  const sent = async (): Promise<string> => {
    const text = (await readIfThere(record)) ?? '';
    // The first and the last line are script's own.
    return text.slice(text.indexOf('\n') + 1).replace(/\nScript done on .*\n$/, '');
  };
  const lines = async (): Promise<string[]> => {
    const text = await call('capture-pane', '-p', '-J', '-S', '-', '-t', name);
    return text
      .split('\n')
      .filter((line) => !line.startsWith('Pane is dead'))
      .map((line) => line.trimEnd());
  };
  return {
    sent,
    lines,
    press: async (...keys) => void (await call('send-keys', '-t', name, ...keys)),
    type: async (text) => void (await call('send-keys', '-t', name, '-l', text)),
    async paste(text) {
      await call('set-buffer', '-b', name, text);
      await call('paste-buffer', '-p', '-d', '-b', name, '-t', name);
    },
    resize: async (columns) => void (await call('resize-window', '-t', name, '-x', String(columns))),
    cursor: async () => Number(await call('display-message', '-p', '-t', name, '#{cursor_x}')),
    async see(text) {
      await waitFor(
        `"${text}" to be written`,
        async () => {
          const written = await sent();
          if (squeeze(written).includes(squeeze(text))) return true;
          throw new Error(written);
        },
        patienceMs,
      );
    },
    async show(text) {
      await waitFor(
        `"${text}" on the screen`,
        async () => {
          const shown = await lines();
          if (squeeze(shown.join('')).includes(squeeze(text))) return true;
          throw new Error(shown.join('\n').trimEnd());
        },
        patienceMs,
      );
    },
    async ended() {
      const code = await waitFor('the end of the program', () => readIfThere(`${record}.exit`), patienceMs);
      return Number(code);
    },
  };
}

/** Without what breaks it into lines and what styles it. */
function squeeze(text: string): string {
  // oxlint-disable-next-line no-control-regex -- sequences of terminals
  return text.replaceAll(/\u001b\[[\d;?]*[A-Za-z]|\s+/g, '');
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function quote(word: string): string {
  return `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
