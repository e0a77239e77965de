import { execFile, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Target } from './client.ts';
import { HOSTNAME, ISSUER, OWNER_ID } from './tokens.ts';

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));
const ROOT = dirname(dirname(MAIN));

/** Compiles the conductor for this machine, about a second. `name` keeps test files apart. Returns the executable. */
export async function compileConductor(name: string, main = MAIN): Promise<string> {
  const outfile = join(ROOT, 'dist', 'test', `conductor-${name}`);
  const flags = [
    '--compile',
    '--minify',
    '--bytecode',
    '--format=esm',
    '--define',
    'COMPILED=true',
    '--outfile',
    outfile,
  ];
  await promisify(execFile)(join(ROOT, 'node_modules', '.bin', 'bun'), ['build', main, ...flags], { cwd: ROOT });
  return outfile;
}

export interface ConfigText {
  jwksUrl: string;
  modelUrl: string;
  extra?: string;
}

/** A config.toml as a box has it. */
export function formatConfig({ jwksUrl, modelUrl, extra = '' }: ConfigText): string {
  return `[server]
port = 0

[auth]
owner_id = "${OWNER_ID}"
hostname = "${HOSTNAME}"
issuer = "${ISSUER}"
jwks_url = "${jwksUrl}"

[ai]
anthropic_base_url = "${modelUrl}"
${extra}`;
}

export interface ConductorProcess {
  local: Target & { port: number };
  remote: Target & { socketPath: string };
  dir: string;
  process: ChildProcess;
  /** Everything written to stderr so far. */
  stderr(): string;
  /** Milliseconds from the start to the line "listening". */
  startMs: number;
  /** Sends the signal and waits; returns the exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
  close(): Promise<void>;
}

/**
 * Runs a conductor as a process of its own until it listens. `command` is its argv without flags; `dir`, which holds
 * its configuration, socket and state, is made when left out.
 */
export async function runConductor(
  command: string[],
  config: string,
  env: Record<string, string>,
  dir?: string,
): Promise<ConductorProcess> {
  const folder = dir ?? (await mkdtemp(join(tmpdir(), 'conductor-')));
  const configPath = join(folder, 'config.toml');
  await writeFile(configPath, config);
  const [file = '', ...rest] = command;
  const flags = ['--config', configPath, '--socket', join(folder, 'remote.sock'), '--state', join(folder, 'state')];
  const started = performance.now();
  const child = spawn(file, [...rest, ...flags], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    stderr += chunk;
  });
  const ended = once(child, 'exit') as Promise<[number | null]>;
  const line = await Promise.race([
    once(createInterface(child.stdout), 'line').then(([text]) => String(text)),
    ended.then(([code]) => {
      throw new Error(`the conductor ended with ${code}: ${stderr}`);
    }),
  ]);
  const listening = JSON.parse(line) as { msg: string; port: number; socket: string };
  const startMs = performance.now() - started;
  async function stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    child.kill(signal);
    const [code] = await ended;
    return code;
  }
  return {
    local: { port: listening.port },
    remote: { socketPath: listening.socket },
    dir: folder,
    process: child,
    stderr: () => stderr,
    startMs,
    stop,
    async close() {
      if (child.exitCode === null && child.signalCode === null) await stop('SIGKILL');
      await rm(folder, { recursive: true, force: true });
    },
  };
}
