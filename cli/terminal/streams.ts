import { fstatSync } from 'node:fs';
import type { CliDeps, Input, Output, Terminal } from '../deps.ts';

/** An output over a stream of the process. `onGone` is called when its reader has gone away (EPIPE). */
export function createOutput(stream: NodeJS.WriteStream, onGone: () => void): Output {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    onGone();
  });
  return {
    // The reader's absence arrives as an event; whoever writes isn't bothered with it.
    write: (text) => new Promise((resolve) => stream.write(text, () => resolve())),
    isTTY: stream.isTTY === true,
    // Asked for each time: a window may be resized while an answer is written.
    get columns() {
      return stream.columns ?? 80;
    },
  };
}

/** The input over stdin of the process. */
export function createInput(stdin: NodeJS.ReadStream): Input {
  return { isTTY: stdin.isTTY === true, piped: isPiped(), chunks: () => stdin, close: () => stdin.destroy() };
}

/** /dev/null is a device, and a closed stdin is nothing: neither is read. Node gives its children sockets for pipes. */
function isPiped(): boolean {
  try {
    const stats = fstatSync(0);
    return stats.isFIFO() || stats.isFile() || stats.isSocket();
  } catch {
    return false;
  }
}

/** Writes bytes as they are, and waits for the reader. */
export function writeBytes(stream: NodeJS.WriteStream, data: Uint8Array): Promise<void> {
  return new Promise((resolve) => stream.write(data, () => resolve()));
}

/** The terminal of this process. */
export function createTerminal(stdin: NodeJS.ReadStream, stdout: NodeJS.WriteStream): Terminal {
  return {
    size: () => ({ columns: stdout.columns, rows: stdout.rows }),
    setRaw: (on) => void stdin.setRawMode(on),
    onResize(tell) {
      stdout.on('resize', tell);
      return () => stdout.off('resize', tell);
    },
  };
}

/** Whether a person can be asked and answered here. */
export function isConversational(deps: Pick<CliDeps, 'stdin' | 'stdout' | 'stderr'>): boolean {
  return deps.stdin.isTTY && deps.stdout.isTTY && deps.stderr.isTTY;
}
