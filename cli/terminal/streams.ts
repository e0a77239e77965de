import { fstatSync } from 'node:fs';
import { PassThrough } from 'node:stream';
import type { Readable } from 'node:stream';
import { SpoqError } from '../../contract/errors.ts';
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

/** Asks for a secret, of which nothing is shown, not even how long it is. Throws `cancelled` as above. */
export function askSecret(stdin: NodeJS.ReadStream, stderr: NodeJS.WriteStream, question: string): Promise<string> {
  return ask(stdin, stderr, { type: 'invisible', message: question });
}

async function ask<T>(stdin: NodeJS.ReadStream, stderr: NodeJS.WriteStream, prompt: object): Promise<T> {
  const { default: enquirer } = await import('enquirer');
  let shown: { cancel(): Promise<void> } | undefined;
  const keys = passKeys(stdin, () => void shown?.cancel());
  const onRun = (one: typeof shown): void => void (shown = one);
  try {
    // Its types don't know the streams that its prompts take.
    const given = { ...prompt, name: 'answer', stdin: keys.stream, stdout: stderr, onRun } as never;
    const { answer } = await enquirer.prompt<{ answer: T }>(given);
    return answer;
  } catch (error) {
    // Enquirer rejects with an empty string then.
    if (error === '') throw new SpoqError('cancelled');
    throw error;
  } finally {
    keys.stop();
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

const CTRL_C = 3;
const CTRL_D = 4;

/**
 * What is typed, as a terminal of its own, but for Ctrl-C and Ctrl-D: those call `onCancel`. Node's readline, on which enquirer reads, would
 * close itself at either, and enquirer then throws where nobody can catch it, or waits for ever.
 */
function passKeys(stdin: NodeJS.ReadStream, onCancel: () => void): { stream: Readable; stop: () => void } {
  const stream = Object.assign(new PassThrough(), {
    isTTY: true,
    isRaw: stdin.isRaw,
    setRawMode: (raw: boolean) => stdin.setRawMode(raw),
  });
  const onData = (typed: Buffer): void => {
    if (typed.includes(CTRL_C) || typed.includes(CTRL_D)) onCancel();
    else stream.write(typed);
  };
  stdin.on('data', onData);
  return {
    stream,
    stop() {
      stdin.off('data', onData).pause();
      stream.destroy();
    },
  };
}
