import { existsSync, readFileSync } from 'node:fs';
import { findOnPath, runCommand } from './run-command.ts';
import type { Terminal } from './terminal.ts';

const INSTALL_MS = 10 * 60_000;

export interface PackageDeps {
  env: NodeJS.ProcessEnv;
  terminal: Terminal;
  signal?: AbortSignal;
}

/** Whether packages of the system may be installed here: only by root, and only where apt is the way. */
export function canInstallPackages(env: NodeJS.ProcessEnv): boolean {
  return process.getuid?.() === 0 && isDebian() && findOnPath('apt-get', env['PATH']) !== undefined;
}

/** Installs Debian's packages of these names, having said so. Answers undefined, or the last that apt said when it failed. */
export async function installPackages(
  names: readonly string[],
  { env, terminal, signal }: PackageDeps,
): Promise<string | undefined> {
  const list = names.join(' ');
  terminal.line(`Packages of the system are installed now (apt-get install ${list}).`);
  const apt = { env: { ...env, DEBIAN_FRONTEND: 'noninteractive' }, signal, timeoutMs: INSTALL_MS };
  const result = await terminal.step(`Installing ${list}`, async () => {
    await runCommand('apt-get', ['update', '-qq'], apt);
    return runCommand('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...names], apt);
  });
  return result.code === 0 ? undefined : (result.stderr.trim().split('\n').at(-1) ?? `exit code ${result.code}`);
}

function isDebian(): boolean {
  const file = '/etc/os-release';
  return existsSync(file) && /^ID(_LIKE)?=.*(debian|ubuntu)/m.test(readFileSync(file, 'utf8'));
}
