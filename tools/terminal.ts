import { createColors } from 'picocolors';

/** Where a program tells a person what it does. Results go to stdout; this is talk, for stderr or a start-up screen. */
export interface Terminal {
  /** Prints one line. */
  line(text?: string): void;
  /**
   * Runs `work` under a title. A terminal shows a spinner with the elapsed time; a pipe gets a line after a second and then one
   * every ten seconds. `update` tells what is being done right now. What `work` throws is passed on.
   */
  step<T>(title: string, work: (update: (detail: string) => void) => Promise<T>): Promise<T>;
  readonly colors: ReturnType<typeof createColors>;
}

export interface TerminalStream {
  write(text: string): unknown;
  isTTY?: boolean;
  columns?: number;
}

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const FRAME_MS = 100;
const PIPE_MS = 10_000;

/** Makes a terminal on a stream. `color` is false where NO_COLOR is set or nobody looks. */
export function createTerminal(stream: TerminalStream, options: { color?: boolean } = {}): Terminal {
  const colors = createColors(options.color ?? stream.isTTY === true);
  const line = (text = ''): void => void stream.write(`${text}\n`);

  async function step<T>(title: string, work: (update: (detail: string) => void) => Promise<T>): Promise<T> {
    const began = performance.now();
    const elapsed = (): string => formatSeconds(performance.now() - began);
    let detail = '';
    let frame = 0;
    const draw = (): void => {
      const text = `${title} … ${elapsed()}${detail === '' ? '' : `  ${detail}`}`;
      if (stream.isTTY === true) {
        stream.write(
          `\r\u001B[2K${colors.cyan(FRAMES[frame++ % FRAMES.length] ?? '')} ${text.slice(0, (stream.columns ?? 80) - 4)}`,
        );
      } else line(`  ${text}`);
    };
    const first = stream.isTTY === true ? undefined : setTimeout(draw, 1000);
    const timer = setInterval(draw, stream.isTTY === true ? FRAME_MS : PIPE_MS);
    const settle = (mark: string): void => {
      clearTimeout(first);
      clearInterval(timer);
      line(`${stream.isTTY === true ? '\r\u001B[2K' : ''}${mark} ${title} ${colors.dim(elapsed())}`);
    };
    try {
      const result = await work((text) => (detail = text));
      settle(colors.green('✓'));
      return result;
    } catch (error) {
      settle(colors.red('✗'));
      throw error;
    }
  }
  return { line, step, colors };
}

/** 950 → `0.9 s`, 61_000 → `1 min 1 s`. */
export function formatSeconds(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** An expected failure of a tool: its message is one sentence for the person and the next step, and is shown without a stack. */
export class ToolError extends Error {
  readonly exitCode: number;

  constructor(message: string, options: { cause?: unknown; exitCode?: number } = {}) {
    super(message, { cause: options.cause });
    this.name = 'ToolError';
    this.exitCode = options.exitCode ?? 1;
  }
}
