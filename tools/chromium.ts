import { existsSync } from 'node:fs';
import { findOnPath } from './run-command.ts';
import { canInstallPackages, installPackages } from './system-packages.ts';
import type { Terminal } from './terminal.ts';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const MAC = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
];

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
  if (!canInstallPackages(env)) {
    terminal.line(
      'No Chromium was found, so the journey in a browser is skipped. Install chromium or set CHROMIUM_PATH.',
    );
    return undefined;
  }
  const failure = await installPackages(['chromium', 'fonts-dejavu-core'], { env, terminal, signal });
  const installed = findChromium(env);
  if (installed === undefined)
    terminal.line(
      `Chromium could not be installed (${failure ?? 'it is not where it is looked for'}), so the journey in a browser is skipped.`,
    );
  return installed;
}
