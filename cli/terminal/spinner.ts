import type { CliDeps } from '../deps.ts';
import { formatSeconds } from './format.ts';

export interface Spinner {
  /** Removes the line. Safe to call more than once. */
  stop(): Promise<void>;
}

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const FRAME_MS = 80;
const CLEAR_LINE = '\r\u001b[K';

/** Shows that work goes on, and for how long, on stderr. Nothing where stderr isn't a terminal that can redraw a line. */
export function startSpinner(deps: Pick<CliDeps, 'stderr' | 'env' | 'now'>, text: string): Spinner {
  const { stderr } = deps;
  if (!stderr.isTTY || deps.env.TERM === 'dumb') return { stop: () => Promise.resolve() };
  const startedAt = deps.now();
  let frame = 0;
  let last = Promise.resolve();
  const draw = (): void => {
    const elapsed = formatSeconds((deps.now() - startedAt) / 1000);
    const line = `${FRAMES[frame++ % FRAMES.length] ?? ''} ${text} ${elapsed}`;
    last = stderr.write(`${CLEAR_LINE}${line.slice(0, stderr.columns - 1)}`);
  };
  draw();
  const timer = setInterval(draw, FRAME_MS);
  let stopped = false;
  return {
    async stop() {
      if (stopped) return;
      stopped = true;
      clearInterval(timer);
      await last;
      await stderr.write(CLEAR_LINE);
    },
  };
}
