import type { CliDeps } from '../deps.ts';
import { formatSeconds } from './format.ts';
import { ECHO_COLUMNS } from './progress-bar.ts';

export interface Spinner {
  /** Writes a line of its own above the spinner, or instead of it where there is none. */
  say(line: string): Promise<void>;
  /** Removes the line. Safe to call more than once. */
  stop(): Promise<void>;
}

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const FRAME_MS = 80;
const CLEAR_LINE = '\r\u001b[K';

/** Shows that work goes on, and for how long, on stderr. Nothing where stderr isn't a terminal that can redraw a line. */
export function startSpinner(deps: Pick<CliDeps, 'stderr' | 'env' | 'now'>, text: string): Spinner {
  const { stderr } = deps;
  if (!stderr.isTTY || deps.env.TERM === 'dumb') {
    return { say: (line) => stderr.write(`${line}\n`), stop: () => Promise.resolve() };
  }
  const startedAt = deps.now();
  let frame = 0;
  let last = Promise.resolve();
  const draw = (): void => {
    const elapsed = formatSeconds((deps.now() - startedAt) / 1000);
    const line = `${FRAMES[frame++ % FRAMES.length] ?? ''} ${text} ${elapsed}`;
    last = stderr.write(`${CLEAR_LINE}${line.slice(0, stderr.columns - ECHO_COLUMNS)}`);
  };
  draw();
  const timer = setInterval(draw, FRAME_MS);
  let stopped = false;
  return {
    async say(line) {
      await last;
      await stderr.write(`${CLEAR_LINE}${line}\n`);
    },
    async stop() {
      if (stopped) return;
      stopped = true;
      clearInterval(timer);
      await last;
      await stderr.write(CLEAR_LINE);
    },
  };
}
