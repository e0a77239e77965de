import type { CliDeps } from '../deps.ts';
import { formatBytes, formatSeconds } from './format.ts';

export interface ProgressBar {
  /** False where no line can be redrawn: then it shows nothing. */
  readonly canDraw: boolean;
  /** How much of how much; drawn a few times a second. */
  update(text: string, done: number, total: number): void;
  /** Removes the line. */
  stop(): Promise<void>;
}

const REDRAW_MS = 100;
const CLEAR_LINE = '\r\u001b[K';
/** At the end of a line that is redrawn: a terminal echoes `^C` there, and what it breaks stays. */
export const ECHO_COLUMNS = 3;
/** The rate is that of the last seconds: a line that got slow shows it. */
const RATE_MS = 3000;

/** Bytes, rate and time left on a line of stderr that is redrawn; where it can't be, nothing but what others write. */
export function startProgressBar(deps: Pick<CliDeps, 'stderr' | 'env' | 'now'>): ProgressBar {
  const { stderr } = deps;
  const canDraw = stderr.isTTY && deps.env.TERM !== 'dumb';
  let last = Promise.resolve();
  let drawnAt = Number.NEGATIVE_INFINITY;
  let isDrawn = false;
  let samples: { at: number; done: number }[] = [];
  return {
    canDraw,
    update(text, done, total) {
      const now = deps.now();
      if (done < (samples.at(-1)?.done ?? 0)) samples = [];
      samples.push({ at: now, done });
      while (samples.length > 2 && now - (samples[0]?.at ?? now) > RATE_MS) samples.shift();
      if (!canDraw || (now - drawnAt < REDRAW_MS && done < total)) return;
      drawnAt = now;
      isDrawn = true;
      last = stderr.write(
        `${CLEAR_LINE}${describeProgress({ text, done, total, rate: measureRate(samples), columns: stderr.columns })}`,
      );
    },
    async stop() {
      if (!isDrawn) return;
      isDrawn = false;
      await last;
      await stderr.write(CLEAR_LINE);
    },
  };
}

/** Bytes a second; 0 while it isn't known. */
function measureRate(samples: readonly { at: number; done: number }[]): number {
  const [first] = samples;
  const newest = samples.at(-1);
  if (first === undefined || newest === undefined || newest.at === first.at) return 0;
  return ((newest.done - first.done) / (newest.at - first.at)) * 1000;
}

interface Progress {
  text: string;
  done: number;
  total: number;
  rate: number;
  columns: number;
}

/** `Sending ██████░░░░  61 MB of 298 MB  12 MB/s  20 s left`, as much of it as fits. */
export function describeProgress({ text, done, total, rate, columns }: Progress): string {
  const share = total === 0 ? 1 : Math.min(1, done / total);
  const amount = `${formatBytes(done)} of ${formatBytes(total)}`;
  const speed = rate > 0 ? `${formatBytes(rate)}/s` : '';
  const left = rate > 0 && done < total ? `${formatSeconds(Math.ceil((total - done) / rate))} left` : '';
  const words = [amount, speed, left].filter((word) => word !== '');
  const room = columns - ECHO_COLUMNS - text.length - 1;
  while (words.length > 1 && words.join('  ').length > room) words.pop();
  const width = Math.min(30, room - words.join('  ').length - 2);
  const full = Math.round(share * width);
  const bar = width >= 5 ? `${'█'.repeat(full)}${'░'.repeat(width - full)}  ` : '';
  return `${text} ${bar}${words.join('  ')}`.slice(0, Math.max(1, columns - ECHO_COLUMNS));
}
