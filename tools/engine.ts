import { homedir } from 'node:os';
import path from 'node:path';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { buildEngine, buildLanguageHost } from './engine-build.ts';
import { downloadEngine } from './engine-download.ts';
import { withLock } from './lock.ts';
import { findOnPath, runCommand } from './run-command.ts';
import { ToolError } from './terminal.ts';

/** The engine's version equals the SDK's: what runs in production is what was tested. A newer 3.x on PATH is accepted. */
export const ENGINE_VERSION = '3.250.0';
export const LANGUAGE_HOST = 'pulumi-language-nodejs';

export interface EngineDeps {
  env: NodeJS.ProcessEnv;
  /** The clone: its tools/ holds the recipes to build the engine. */
  root: string;
  /** What is being done right now, for a person who waits. */
  onProgress: (text: string) => void;
  /** A sentence worth keeping: a broken cache, a source that could not be used. */
  onNotice?: (text: string) => void;
  /** Ends a download or a build. */
  signal?: AbortSignal;
  /** Where releases are downloaded from; tests give their own. */
  releaseUrl?: string;
}

export interface Engine {
  /** Without a leading v. */
  version: string;
  source: 'path' | 'cache' | 'download' | 'build';
  /** Folders for the front of PATH: the engine's own and, where it is elsewhere, the language host's. */
  pathDirs: string[];
}

/** The folder outside of any checkout where Spoq keeps what is slow to get. */
export function cacheDir(env: NodeJS.ProcessEnv): string {
  return env['SPOQ_CACHE_DIR'] ?? path.join(env['XDG_CACHE_HOME'] ?? path.join(homedir(), '.cache'), 'spoq');
}

/**
 * Finds a Pulumi engine, or gets one: on PATH, in the cache, from its makers, built from Go modules; in this order. Safe to run at
 * the same time in several processes. Throws a ToolError with the next step if none can be had.
 */
export async function getEngine(deps: EngineDeps): Promise<Engine> {
  const folder = path.join(cacheDir(deps.env), 'engine', `v${ENGINE_VERSION}`);
  const bin = path.join(folder, 'bin');
  deps.onProgress('looking for pulumi');
  const found = await findEngineOnPath(deps);
  const cached =
    found ??
    ((await cacheIsComplete(bin, deps)) ? { version: ENGINE_VERSION, source: 'cache', pathDirs: [bin] } : undefined);
  if (cached !== undefined && cached.pathDirs.some((dir) => existsSync(path.join(dir, LANGUAGE_HOST))))
    return cached as Engine;

  const wait = (): void => deps.onProgress('another run is getting it; waiting');
  return withLock(path.dirname(folder), `v${ENGINE_VERSION}`, () => fillCache(bin, found, deps), wait);
}

async function fillCache(bin: string, found: Engine | undefined, deps: EngineDeps): Promise<Engine> {
  if (found !== undefined) {
    // A pulumi without its language host can still run our inline programs; only `pulumi preview` from the shell needs the host.
    if (!existsSync(path.join(bin, LANGUAGE_HOST)))
      await installFile(bin, LANGUAGE_HOST, (file) => buildLanguageHost(file, deps));
    return { ...found, pathDirs: [...found.pathDirs, bin] };
  }
  if (await cacheIsComplete(bin, deps)) return { version: ENGINE_VERSION, source: 'cache', pathDirs: [bin] };
  mkdirSync(path.dirname(bin), { recursive: true });
  const scratch = mkdtempSync(path.join(path.dirname(bin), 'new-'));
  try {
    const downloaded = await downloadEngine(scratch, ENGINE_VERSION, deps);
    if (downloaded.ok) {
      rmSync(bin, { recursive: true, force: true });
      renameSync(downloaded.binDir, bin);
    } else {
      await buildAll(bin, downloaded.reason, deps);
    }
    if (await cacheIsComplete(bin, deps))
      return { version: ENGINE_VERSION, source: downloaded.ok ? 'download' : 'build', pathDirs: [bin] };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  throw new ToolError(
    `The Pulumi engine was put into ${bin} but does not run there. Install pulumi ${ENGINE_VERSION} yourself and run this again.`,
  );
}

async function buildAll(bin: string, why: string, deps: EngineDeps): Promise<void> {
  if (findOnPath('go', deps.env['PATH']) === undefined) {
    throw new ToolError(
      `There is no Pulumi engine to be had: no pulumi ${ENGINE_VERSION} on PATH, ${why}, and no Go to build it with. ` +
        'Install Go 1.25 or later, or pulumi itself, then run this again.',
    );
  }
  deps.onNotice?.(`The engine is built from source (${why}); this takes some minutes, once.`);
  await installFile(bin, 'pulumi', (file) => buildEngine(file, ENGINE_VERSION, deps));
  await installFile(bin, LANGUAGE_HOST, (file) => buildLanguageHost(file, deps));
}

/** Makes `name` beside its final place and moves it there in one step: a run that is stopped leaves no half of a file. */
async function installFile(bin: string, name: string, make: (file: string) => Promise<void>): Promise<void> {
  mkdirSync(bin, { recursive: true });
  const draft = path.join(bin, `.${name}-${process.pid}`);
  try {
    await make(draft);
    renameSync(draft, path.join(bin, name));
  } finally {
    rmSync(draft, { force: true });
  }
}

async function findEngineOnPath(deps: EngineDeps): Promise<Engine | undefined> {
  const file = findOnPath('pulumi', deps.env['PATH']);
  const version = file === undefined ? undefined : await readVersion(file, deps.env);
  if (file === undefined || version === undefined) return undefined;
  if (!isAcceptable(version)) {
    deps.onNotice?.(`${file} is version ${version}; Spoq wants ${ENGINE_VERSION} (or a later 3.x) and uses its own.`);
    return undefined;
  }
  const host = findOnPath(LANGUAGE_HOST, `${path.dirname(file)}${path.delimiter}${deps.env['PATH']}`);
  const dirs = [path.dirname(file), ...(host === undefined ? [] : [path.dirname(host)])];
  return { version, source: 'path', pathDirs: [...new Set(dirs)] };
}

async function cacheIsComplete(bin: string, deps: EngineDeps): Promise<boolean> {
  const file = path.join(bin, 'pulumi');
  if (!existsSync(file)) return false;
  const version = await readVersion(file, deps.env);
  if (version !== ENGINE_VERSION) {
    deps.onNotice?.(`The engine in the cache (${file}) does not run; it is replaced.`);
    rmSync(file, { force: true });
    return false;
  }
  return existsSync(path.join(bin, LANGUAGE_HOST));
}

async function readVersion(file: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  const result = await runCommand(file, ['version'], {
    env: { ...env, PULUMI_SKIP_UPDATE_CHECK: 'true' },
    timeoutMs: 20_000,
  });
  return result.code === 0 ? /^v?(\d+\.\d+\.\d+)/.exec(result.stdout.trim())?.[1] : undefined;
}

/** 3.250 and later of the same major: its CLI and gRPC interfaces only grow. */
export function isAcceptable(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major === 3 && minor >= 250;
}
