import { spawn } from 'node:child_process';

export interface SpoqOptions {
  /** argv of the executable. */
  spoq: readonly string[];
  cwd: string;
  env: NodeJS.ProcessEnv;
}

export interface SpoqChunk {
  at: number;
  text: string;
}

export interface SpoqResult {
  code: number | null;
  stdout: string;
  stderr: string;
  /** What arrived on stdout, and when, in milliseconds since its start. */
  chunks: SpoqChunk[];
}

/** A `spoq` that runs: the real process, without a terminal. */
export interface RunningSpoq {
  /** Resolves with the first match in what it has said on stderr and stdout; rejects when it ends without. */
  waitFor(pattern: RegExp): Promise<RegExpExecArray>;
  ended: Promise<SpoqResult>;
  kill(signal: NodeJS.Signals): void;
}

/** Starts `spoq <args>`. */
export function startSpoq({ spoq, cwd, env }: SpoqOptions, args: readonly string[]): RunningSpoq {
  const [file = '', ...first] = spoq;
  const began = performance.now();
  const child = spawn(file, [...first, ...args], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const result: SpoqResult = { code: null, stdout: '', stderr: '', chunks: [] };
  const listeners = new Set<() => void>();
  const wake = (): void => {
    for (const listener of listeners) listener();
  };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    result.stdout += text;
    result.chunks.push({ at: performance.now() - began, text });
    wake();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    result.stderr += text;
    wake();
  });
  let over = false;
  const ended = new Promise<SpoqResult>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      over = true;
      resolve({ ...result, code });
      wake();
    });
  });
  return {
    ended,
    kill: (signal) => void child.kill(signal),
    waitFor: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = pattern.exec(result.stderr) ?? pattern.exec(result.stdout);
          if (found === null && !over) return;
          listeners.delete(look);
          if (found !== null) resolve(found);
          else
            reject(
              new Error(`spoq ${args.join(' ')} ended without saying ${pattern}: ${result.stderr}${result.stdout}`),
            );
        };
        listeners.add(look);
        look();
      }),
  };
}

/** Runs `spoq <args>` to its end. */
export function runSpoq(options: SpoqOptions, args: readonly string[]): Promise<SpoqResult> {
  return startSpoq(options, args).ended;
}
