import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { cacheDir } from './engine.ts';
import { withLock } from './lock.ts';
import { runCommand } from './run-command.ts';
import { canInstallPackages, installPackages } from './system-packages.ts';
import type { PackageDeps } from './system-packages.ts';

export interface SchemathesisDeps extends PackageDeps {
  /** The clone: its tools/schemathesis/ holds what is installed, with the hash of every file. */
  root: string;
}

const INSTALL_MS = 10 * 60_000;
/** What the lock file was made for, with the module that makes pip: Debian has it in a package of its own. */
const CHECK = 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))';

/**
 * The program `st` of the pinned Schemathesis: from the cache, or installed there once. Undefined, with a line that says why, where
 * that can't be; the tests that need it then skip. Safe to run at the same time in several processes.
 */
export async function ensureSchemathesis(deps: SchemathesisDeps): Promise<string | undefined> {
  const { root, env, terminal, signal } = deps;
  const requirements = path.join(root, 'tools', 'schemathesis', 'requirements.txt');
  const version = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 12);
  const cache = path.join(cacheDir(env), 'schemathesis');
  const folder = path.join(cache, version);
  const program = path.join(folder, 'bin', 'st');
  // Written last: half an installation is never found.
  const stamp = path.join(folder, 'complete');
  const isThere = async (): Promise<boolean> =>
    existsSync(stamp) && (await runCommand(program, ['--version'], { env, signal })).code === 0;
  if (await isThere()) return program;
  const failure =
    (await ensurePython(deps)) ??
    (await terminal.step('Schemathesis', (onProgress) =>
      withLock(
        cache,
        version,
        async () => {
          if (await isThere()) return undefined;
          onProgress('its packages, about a minute, once');
          return install({ folder, requirements, stamp }, deps);
        },
        () => onProgress('another run is getting it; waiting'),
      ),
    ));
  if (failure === undefined) return program;
  terminal.line(`There is no Schemathesis (${failure}), so the tests that send whatever the API allows are skipped.`);
  return undefined;
}

/** Answers undefined when Python can make a virtual environment, or what it lacks. */
async function ensurePython(deps: PackageDeps): Promise<string | undefined> {
  const { env, signal } = deps;
  const isGood = async (): Promise<boolean> => (await runCommand('python3', ['-c', CHECK], { env, signal })).code === 0;
  if (await isGood()) return undefined;
  const failure = canInstallPackages(env) ? await installPackages(['python3', 'python3-venv'], deps) : undefined;
  if (await isGood()) return undefined;
  return failure ?? 'it needs Python 3.11 or later with venv';
}

/** Answers undefined, or the last that pip said when it failed; then nothing is kept. */
async function install(
  { folder, requirements, stamp }: { folder: string; requirements: string; stamp: string },
  { env, signal }: PackageDeps,
): Promise<string | undefined> {
  const options = { env, signal, timeoutMs: INSTALL_MS };
  rmSync(folder, { recursive: true, force: true });
  const pip = ['install', '--quiet', '--no-input', '--only-binary', ':all:', '--require-hashes', '-r', requirements];
  const made = await runCommand('python3', ['-m', 'venv', folder], options);
  const result = made.code === 0 ? await runCommand(path.join(folder, 'bin', 'pip'), pip, options) : made;
  if (result.code === 0) {
    writeFileSync(stamp, '');
    return undefined;
  }
  rmSync(folder, { recursive: true, force: true });
  return `${result.stdout}${result.stderr}`.trim().split('\n').at(-1) ?? `exit code ${result.code}`;
}
