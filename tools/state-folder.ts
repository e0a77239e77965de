import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { listProcesses } from './process-table.ts';
import { ToolError } from './terminal.ts';

/** Where a run of Spoq on this machine keeps everything: databases, vendors' state, logs, secrets. */
export interface StateFolder {
  dir: string;
  postgres: string;
  sandbox: string;
  logs: string;
  /** Wrappers for people: spoq and pulumi, pointed at this run. */
  bin: string;
  /** What `npm run operator` and the wrappers hand to their programs. */
  environment: string;
}

export interface Secrets {
  ENCRYPTION_KEY: string;
  PULUMI_CONFIG_PASSPHRASE: string;
  POSTGRES_PASSWORD: string;
}

const LOCK = 'start.lock';
/** Of tools/setup.mjs: a run that installs packages may be waiting for it. */
const SETUP_LOCK = 'setup.lock';

interface Owner {
  pid: number;
  started: string;
}

/** `.spoq` in the clone, unless SPOQ_STATE_DIR names another folder. */
export function stateDir(root: string, env: NodeJS.ProcessEnv): string {
  const given = env['SPOQ_STATE_DIR'];
  return given === undefined || given === '' ? path.join(root, '.spoq') : path.resolve(given);
}

/** Makes the folder (0700: it holds secrets) and names what lies in it. */
export function openStateFolder(dir: string): StateFolder {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const at = (name: string): string => path.join(dir, name);
  const folder = {
    dir,
    postgres: at('postgres'),
    sandbox: at('sandbox'),
    logs: at('logs'),
    bin: at('bin'),
    environment: at('environment.json'),
  };
  for (const name of [folder.sandbox, folder.logs, folder.bin]) mkdirSync(name, { recursive: true });
  return folder;
}

/** The secrets of this run, made once. Losing them makes the databases unreadable, so they live and die with the folder. */
export function loadSecrets(folder: StateFolder): Secrets {
  const file = path.join(folder.dir, 'secrets.json');
  if (existsSync(file)) return readJson(file) as Secrets;
  const secrets = {
    ENCRYPTION_KEY: randomBytes(32).toString('base64'),
    PULUMI_CONFIG_PASSPHRASE: randomBytes(24).toString('base64url'),
    POSTGRES_PASSWORD: randomBytes(24).toString('base64url'),
  };
  writePrivateFile(file, `${JSON.stringify(secrets, undefined, 2)}\n`);
  return secrets;
}

/** Writes a file that only its owner may read, in one step. */
export function writePrivateFile(file: string, content: string, mode = 0o600): void {
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, content, { mode });
  renameSync(draft, file);
}

/** Reads a JSON file of ours; a damaged one is named, not guessed at. */
export function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new ToolError(`${file} cannot be read. Restore it, or begin anew with \`npm start -- --fresh\`.`, { cause });
  }
}

/** Removes every user, box and record. The caller holds the lock, which stays, as do the folders that things are written to. */
export function forgetState(folder: StateFolder): void {
  for (const name of readdirSync(folder.dir)) {
    if (name !== LOCK && name !== SETUP_LOCK) rmSync(path.join(folder.dir, name), { recursive: true, force: true });
  }
  openStateFolder(folder.dir);
}

/** Remembers the first of the ports; answers the one of the run before if that was another. */
export function exchangePort(folder: StateFolder, port: number): number | undefined {
  const file = path.join(folder.dir, 'port');
  const former = existsSync(file) ? Number(readFileSync(file, 'utf8')) : port;
  writeFileSync(file, String(port));
  return former === port ? undefined : former;
}

/** Who runs on this folder now, or undefined. A lock whose process is gone counts as none. */
export function findOwner(folder: StateFolder): Owner | undefined {
  const file = path.join(folder.dir, LOCK);
  if (!existsSync(file)) return undefined;
  const owner = readJson(file) as Owner;
  return listProcesses().some((row) => row.pid === owner.pid && row.started === owner.started) ? owner : undefined;
}

/**
 * Takes the folder for this process, or throws one sentence that names who has it. Answers how to let go of it.
 */
export function lockStateFolder(folder: StateFolder): () => void {
  const file = path.join(folder.dir, LOCK);
  const started = listProcesses().find((row) => row.pid === process.pid)?.started ?? '';
  const content = JSON.stringify({ pid: process.pid, started });
  for (let attempt = 0; ; attempt++) {
    try {
      writeFileSync(file, content, { flag: 'wx', mode: 0o600 });
      return () => rmSync(file, { force: true });
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST') || attempt > 3) throw error;
    }
    const owner = findOwner(folder);
    if (owner !== undefined) {
      throw new ToolError(
        `Spoq is already running from this clone (pid ${owner.pid}). Use it, or end it with Ctrl-C in its terminal or \`kill ${owner.pid}\`.`,
      );
    }
    rmSync(file, { force: true });
  }
}
