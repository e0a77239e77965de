import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { withoutEmptyEnd } from './page.ts';
import type { Tmux, Window } from './tmux.ts';

/** Wide enough for every line that a page shows. */
const COLUMNS = 140;

/** What a person types into one terminal after the other, each where the last one has left off. */
export interface Shell {
  /** The home folder. */
  home: string;
  cwd: string;
  env: Record<string, string>;
  /** Runs a line of bash in a terminal to its end. `act` is what the person does meanwhile. */
  run(command: string, act?: (window: Window) => Promise<void>): Promise<{ code: number; lines: string[] }>;
  /** The address that the last command has opened in the browser. */
  openedUrl(): string | undefined;
}

/** Neither the rest of the line nor what it changes in its shell may hide its exit code. */
const SCRIPT = 'eval "$1"; code=$?; pwd > "$HOME/.cwd"; exit $code';
const BROWSER = '#!/bin/sh\necho "$1" > "$HOME/.opened.new" && mv "$HOME/.opened.new" "$HOME/.opened"\n';

/** A person's home with a `bin` on the PATH and a browser that only notes what it should show. */
export function createShell(tmux: Tmux, home: string, variables: Record<string, string>): Shell {
  const bin = path.join(home, '.local', 'bin');
  mkdirSync(bin, { recursive: true });
  writeFileSync(path.join(bin, 'xdg-open'), BROWSER, { mode: 0o755 });
  const opened = path.join(home, '.opened');
  const env = {
    HOME: home,
    PATH: `${bin}:${process.env['PATH'] ?? ''}`,
    TERM: 'xterm-256color',
    LC_ALL: 'C.UTF-8',
    DISPLAY: ':0',
    npm_config_update_notifier: 'false',
    ...variables,
  };
  const shell: Shell = {
    home,
    cwd: home,
    env,
    async run(command, act) {
      rmSync(opened, { force: true });
      const words = ['bash', '--norc', '-c', SCRIPT, 'bash', command];
      const window = await tmux.open({ columns: COLUMNS, command: words, cwd: shell.cwd, env });
      await act?.(window);
      const code = await window.ended();
      shell.cwd = readFileSync(path.join(home, '.cwd'), 'utf8').trim();
      return { code, lines: withoutEmptyEnd(await window.lines()) };
    },
    openedUrl() {
      try {
        return readFileSync(opened, 'utf8').trim();
      } catch {
        return undefined; // nothing was opened yet
      }
    },
  };
  return shell;
}
