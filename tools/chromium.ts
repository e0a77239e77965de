import { existsSync, readFileSync } from 'node:fs';
import { findOnPath, runCommand } from './run-command.ts';
import type { Terminal } from './terminal.ts';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const MAC = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
];
const INSTALL_MS = 10 * 60_000;

/** A Chromium of this machine: CHROMIUM_PATH, else from PATH or the usual places. */
export function findChromium(env: NodeJS.ProcessEnv): string | undefined {
  const given = env['CHROMIUM_PATH'];
  if (given !== undefined && given !== '') return existsSync(given) ? given : undefined;
  for (const name of NAMES) {
    const found = findOnPath(name, env['PATH']);
    if (found !== undefined) return found;
  }
  return MAC.find((file) => existsSync(file));
}

/**
 * Finds Chromium, or installs Debian's: only as root on Debian or Ubuntu, and after saying so. Elsewhere it says what is missing;
 * the tests in a browser then skip.
 */
export async function ensureChromium(
  env: NodeJS.ProcessEnv,
  terminal: Terminal,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const found = findChromium(env);
  if (found !== undefined) return found;
  if (process.getuid?.() !== 0 || !isDebian() || findOnPath('apt-get', env['PATH']) === undefined) {
    terminal.line(
      'No Chromium was found, so the journey in a browser is skipped. Install chromium or set CHROMIUM_PATH.',
    );
    return undefined;
  }
  terminal.line('No Chromium was found; it is installed from Debian now (apt-get install chromium).');
  const apt = { env: { ...env, DEBIAN_FRONTEND: 'noninteractive' }, signal, timeoutMs: INSTALL_MS };
  const result = await terminal.step('Installing chromium', async () => {
    await runCommand('apt-get', ['update', '-qq'], apt);
    return runCommand(
      'apt-get',
      ['install', '-y', '-qq', '--no-install-recommends', 'chromium', 'fonts-dejavu-core'],
      apt,
    );
  });
  const installed = findChromium(env);
  if (installed === undefined) {
    const said = result.stderr.trim().split('\n').at(-1) ?? '';
    terminal.line(`Chromium could not be installed (${said}), so the journey in a browser is skipped.`);
  }
  return installed;
}

function isDebian(): boolean {
  const file = '/etc/os-release';
  return existsSync(file) && /^ID(_LIKE)?=.*(debian|ubuntu)/m.test(readFileSync(file, 'utf8'));
}
