import { type ChildProcess, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';

export interface GuardedRun {
  command: string;
  args: readonly string[];
  cwd: string;
  /** The whole environment. */
  env: Record<string, string>;
  onOutput?: (text: string) => void;
  onError?: (text: string) => void;
  signal?: AbortSignal;
}

export interface RunResult {
  code: number;
  stdout: string;
  stderr: string;
}

/** Seconds that an interrupted engine has to write its state and let go of its lock. */
const GRACE_SECONDS = 15;

// The child becomes the command itself (exec), so signals and exit codes are its own. Beside it a watcher reads the pipe that this
// process holds: a line means that the command has ended; the pipe's end without one, that this process was killed, by
// whatever: then nobody is left to say what the engine should do, so it is interrupted, and killed if it does not heed.
const SCRIPT = `
(
  read -r line <&3 && exit
  kill -INT $$
  left=${GRACE_SECONDS}
  while [ $left -gt 0 ]; do sleep 1; kill -0 $$ || exit; left=$((left - 1)); done
  kill -KILL $$
) >/dev/null 2>&1 &
exec 3<&-
exec "$@"
`;

/** Runs a command that does not outlive this process. Aborting interrupts it, and kills it after a grace. */
export async function runGuarded({
  command,
  args,
  cwd,
  env,
  onOutput,
  onError,
  signal,
}: GuardedRun): Promise<RunResult> {
  signal?.throwIfAborted();
  // A session of its own: Ctrl-C in a terminal reaches this process alone, which decides.
  const child = spawn('/bin/sh', ['-c', SCRIPT, 'sh', command, ...args], {
    cwd,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  let timer: NodeJS.Timeout | undefined;
  const interrupt = (): void => {
    kill(child, 'SIGINT');
    timer = setTimeout(() => kill(child, 'SIGKILL'), GRACE_SECONDS * 1000);
  };
  signal?.addEventListener('abort', interrupt, { once: true });
  const stdout = collect(child.stdout as Readable, onOutput);
  const stderr = collect(child.stderr as Readable, onError);
  // Not stdin: Node destroys that one itself when the child ends, before a last line could be written.
  const leash = child.stdio[3] as Writable;
  leash.on('error', () => {});
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  child.once('error', reject);
  child.once('exit', () => leash.end('ended\n'));
  child.once('close', (code) => resolve(code ?? -1));
  try {
    const code = await promise;
    return { code, stdout: stdout(), stderr: stderr() };
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', interrupt);
  }
}

function kill(child: ChildProcess, name: NodeJS.Signals): void {
  if (child.exitCode === null && child.signalCode === null) child.kill(name);
}

function collect(stream: NodeJS.ReadableStream, onText?: (text: string) => void): () => string {
  const parts: string[] = [];
  stream.setEncoding('utf8');
  stream.on('data', (text: string) => {
    parts.push(text);
    onText?.(text);
  });
  return () => parts.join('');
}
