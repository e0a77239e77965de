import { rmSync } from 'node:fs';
import path from 'node:path';
import { findOnPath } from './run-command.ts';
import { canInstallPackages, installPackages } from './system-packages.ts';
import type { PackageDeps } from './system-packages.ts';
import { ToolError } from './terminal.ts';
import { debootstrap, ensureTree, treePath, whyNoDebianTree, withSystemFolders } from './trees.ts';

/** What tests of what people install use, by program. */
const PACKAGES: Readonly<Record<string, string>> = {
  busybox: 'busybox-static',
  dash: 'dash',
  debootstrap: 'debootstrap',
  fish: 'fish',
  minisign: 'minisign',
  shellcheck: 'shellcheck',
  zsh: 'zsh',
};
const TREE = 'debian-install-1';

/** A clean Debian with everything that install.sh can make use of; tests take away what they do without. */
export function installTreePath(env: NodeJS.ProcessEnv): string {
  return treePath(env, TREE);
}

/** Gets what tests of install.sh, signatures and completions need; a line says what is skipped where that can't be. */
export async function prepareInstallTests(deps: PackageDeps): Promise<void> {
  const { env, terminal, signal } = deps;
  await ensurePrograms(deps);
  const reason = whyNoDebianTree(env);
  if (reason !== undefined)
    return terminal.line(`install.sh is not tried in a clean Debian, nor in one with busybox only: ${reason}.`);
  const make = (onProgress: (text: string) => void): Promise<string> =>
    ensureTree(
      TREE,
      async (folder) => {
        onProgress('debootstrap, about a minute, once');
        const packages = ['ca-certificates', 'curl', 'minisign', 'openssl', 'wget'];
        await debootstrap(folder, packages, { env, signal, onProgress });
        rmSync(path.join(folder, 'var/cache/apt/archives'), { recursive: true, force: true });
      },
      { env, signal, onProgress },
    );
  await terminal.step('A clean Debian', make).catch((error: unknown) => {
    if (!(error instanceof ToolError) || signal?.aborted === true) throw error;
    terminal.line(`${error.message}\ninstall.sh is not tried there.`);
  });
}

/** Installs what is missing where that may be done, having said so; what is missing still is skipped by the tests that need it. */
async function ensurePrograms(deps: PackageDeps): Promise<void> {
  const { env, terminal } = deps;
  const findMissing = (): string[] =>
    Object.keys(PACKAGES).filter((name) => findOnPath(name, withSystemFolders(env['PATH'])) === undefined);
  const missing = findMissing();
  if (missing.length > 0 && canInstallPackages(env))
    await installPackages([...new Set(missing.map((name) => PACKAGES[name] ?? name))], deps);
  const left = findMissing();
  if (left.length > 0) terminal.line(`Not found: ${left.join(', ')}. The tests that need them are skipped.`);
}
