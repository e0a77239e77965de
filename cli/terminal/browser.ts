import { spawn } from 'node:child_process';
import type { CliDeps } from '../deps.ts';

/** True where a browser can be shown to the person: a terminal on their own computer, with a screen. */
export function hasBrowser(deps: Pick<CliDeps, 'env' | 'platform' | 'stderr'>): boolean {
  const { env, platform } = deps;
  const isRemote = Boolean(env.SSH_CONNECTION || env.SSH_TTY || env.SSH_CLIENT);
  if (!deps.stderr.isTTY || isRemote || env.CI) return false;
  return platform === 'darwin' || platform === 'win32' || Boolean(env.DISPLAY || env.WAYLAND_DISPLAY);
}

/** Starts the browser and doesn't wait for it. No shell sees the URL. A browser that isn't there is no failure: the URL was printed. */
export function openBrowser(platform: string, url: string): void {
  const [program, args]: [string, string[]] =
    platform === 'darwin'
      ? ['open', [url]]
      : platform === 'win32'
        ? ['rundll32', ['url.dll,FileProtocolHandler', url]]
        : ['xdg-open', [url]];
  const child = spawn(program, args, { stdio: 'ignore', detached: true });
  child.on('error', () => undefined);
  child.unref();
}
