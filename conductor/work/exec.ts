import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import type { Channel } from '../workplace/channel.ts';
import { ProtocolError } from '../workplace/frames.ts';
import { ExecMessage } from '../workplace/protocol.ts';
import type { WorkRequestOf } from '../workplace/protocol.ts';
import { resolveInside } from './paths.ts';
import type { Place } from './place.ts';
import { countOutOfMemory, killMarked, listChildren, MARK, offerToKernel, signalGroup } from './processes.ts';

type Exec = WorkRequestOf<'exec'>;

/** After so many looks without a byte, what still holds the output of a program that has ended was left behind by it. */
const LEFT_BEHIND_LOOKS = 6;
const LOOK_MS = 50;
/** Sizes and signals; nobody sends more before a program has begun. */
const MAX_EARLY = 32;

/** Runs a program and carries its streams over the channel. Whatever its group still holds when it ends, ends with it. */
export async function runProgram(
  place: Place,
  env: Record<string, string>,
  exec: Exec,
  channel: Channel,
): Promise<void> {
  // What is told before the program has begun waits for it.
  const early: unknown[] = [];
  channel.onTell((message) => void (early.length < MAX_EARLY && early.push(message)));
  const cwd = await resolveInside(place.tree, exec.cwd ?? '.');
  const mark = randomUUID();
  const argv = exec.tty === undefined ? exec.argv : inTerminal(exec.argv, exec.tty, env['SHELL'] ?? '/bin/sh');
  const [file = '', ...args] = argv;
  const terminal = exec.tty === undefined ? {} : { TERM: 'xterm-256color', SHELL: '/bin/sh' };
  const killedBefore = await countOutOfMemory();
  const child = spawn(file, args, {
    cwd,
    env: { ...env, ...terminal, ...exec.env, [MARK]: mark },
    detached: true, // a group of its own
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const ended = waitForExit(child);
  // At once: what a program that ends meanwhile has said would be let go.
  const output = [pump(child.stdout, channel, 1), pump(child.stderr, channel, 2)];
  if (child.pid !== undefined) void offerToKernel(child.pid);
  let timedOut = false;
  const killAll = async (): Promise<void> => {
    for (const pid of await listGroups(child, exec)) signalGroup(pid, 'SIGKILL');
    await killMarked(mark);
  };
  const timer =
    exec.timeout_ms === undefined
      ? undefined
      : setTimeout(() => {
          timedOut = true;
          void killAll();
        }, exec.timeout_ms);
  const abort = (): void => void killAll();
  channel.over.addEventListener('abort', abort, { once: true });
  const hear = (message: unknown): void => {
    const { data } = ExecMessage.safeParse(message);
    if (data === undefined) throw new ProtocolError('a message to a program that makes no sense');
    if ('resize' in data) void resize(child, data.resize);
    else if (data.kill === 'SIGKILL') void killAll();
    else void signalGroups(child, exec, data.kill as NodeJS.Signals);
  };
  channel.onTell(hear);
  for (const message of early) hear(message);
  void feed(child, channel);
  const { code, signal, error } = await ended;
  clearTimeout(timer);
  if (child.pid !== undefined) signalGroup(child.pid, 'SIGKILL');
  await Promise.all(output.map((one) => one.finish()));
  channel.over.removeEventListener('abort', abort);
  if (error !== undefined) await sayNotStarted(channel, exec, error);
  const hasMemory = (await countOutOfMemory()) === killedBefore;
  channel.end();
  channel.close({
    code: error === undefined ? code : error.code === 'EACCES' ? 126 : 127,
    signal,
    timed_out: timedOut,
    ...(hasMemory ? {} : { out_of_memory: true }),
  });
}

/** `script` of util-linux, which is on every Debian and Ubuntu, gives the program a terminal: no native code of ours. */
function inTerminal(argv: string[], { columns, rows }: { columns: number; rows: number }, shell: string): string[] {
  const words = ['exec', 'env', `SHELL=${shell}`, ...argv].map(quote).join(' ');
  const command = `stty cols ${columns} rows ${rows}; ${words}`;
  return ['script', '--quiet', '--flush', '--return', '--echo', 'always', '--command', command, '/dev/null'];
}

function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** The terminal is found by the program that has it; the kernel tells that program of its new size. */
async function resize(child: ChildProcess, { columns, rows }: { columns: number; rows: number }): Promise<void> {
  const [leader] = child.pid === undefined ? [] : await listChildren(child.pid);
  if (leader === undefined) return;
  const stty = spawn('stty', ['-F', `/proc/${leader}/fd/0`, 'cols', String(columns), 'rows', String(rows)], {
    stdio: 'ignore',
  });
  stty.on('error', () => undefined); // then it keeps its size
}

/** With a terminal the program leads a session of its own, below `script`. */
async function listGroups(child: ChildProcess, exec: Exec): Promise<number[]> {
  if (child.pid === undefined) return [];
  return exec.tty === undefined ? [child.pid] : [...(await listChildren(child.pid)), child.pid];
}

async function signalGroups(child: ChildProcess, exec: Exec, signal: NodeJS.Signals): Promise<void> {
  const [first] = await listGroups(child, exec);
  if (first !== undefined) signalGroup(first, signal);
}

interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
  error?: NodeJS.ErrnoException;
}

function waitForExit(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
    child.once('error', (error) => {
      if (child.pid === undefined) resolve({ code: null, signal: null, error });
    });
  });
}

async function feed({ stdin }: ChildProcess, channel: Channel): Promise<void> {
  if (stdin === null) return;
  stdin.on('error', () => undefined); // it doesn't read: that is for it to decide
  for await (const { data } of channel.data) {
    if (stdin.destroyed) continue;
    await new Promise<void>((resolve) => {
      stdin.once('close', resolve);
      stdin.write(data, () => {
        stdin.off('close', resolve);
        resolve();
      });
    });
  }
  stdin.end();
}

interface Pump {
  /** Settles when everything has been carried, or nothing comes any more though something holds the stream open. */
  finish(): Promise<void>;
}

function pump(stream: Readable | null, channel: Channel, number: number): Pump {
  let state: 'waiting' | 'sending' | 'done' = 'waiting';
  let moves = 0;
  const carry = async (): Promise<void> => {
    try {
      for await (const chunk of stream ?? []) {
        state = 'sending';
        await channel.send(chunk as Buffer, number);
        state = 'waiting';
        moves += 1;
      }
    } catch (error) {
      // The channel is over, or the stream was given up below.
      if (!channel.over.aborted && stream?.destroyed !== true) throw error;
    } finally {
      state = 'done';
      stream?.destroy();
    }
  };
  const carried = carry();
  carried.catch(() => undefined);
  const isDone = (): boolean => state === 'done';
  return {
    async finish() {
      // Looks are counted and not time: in between, whatever is there is read.
      for (let looks = 0, seen = moves; !isDone(); looks += 1) {
        await Promise.race([carried, wait(LOOK_MS)]);
        if (state === 'sending' || moves !== seen) [looks, seen] = [0, moves];
        if (looks >= LEFT_BEHIND_LOOKS) stream?.destroy();
      }
      await carried;
    },
  };
}

async function sayNotStarted(
  channel: Channel,
  { argv: [file = ''] }: Exec,
  error: NodeJS.ErrnoException,
): Promise<void> {
  const reason =
    error.code === 'ENOENT'
      ? 'not found'
      : error.code === 'EACCES'
        ? 'not allowed to run'
        : (error.code ?? error.message);
  await channel.send(Buffer.from(`${file}: ${reason}\n`), 2);
}
