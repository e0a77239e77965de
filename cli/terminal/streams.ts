import { fstatSync } from 'node:fs';
import { SpoqError } from '../../contract/errors.ts';
import type { Input, Output, Terminal } from '../deps.ts';

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

/** Asks yes or no on the terminal, on stderr. Throws `cancelled` when the person presses Ctrl-C or Escape. */
export async function askConfirmation(
  stdin: NodeJS.ReadStream,
  stderr: NodeJS.WriteStream,
  question: string,
): Promise<boolean> {
  const { default: enquirer } = await import('enquirer');
  // Its types don't know the streams that its prompts take.
  const prompt = { type: 'confirm', name: 'yes', message: question, initial: false, stdin, stdout: stderr } as never;
  try {
    const answer = await enquirer.prompt<{ yes: boolean }>(prompt);
    return answer.yes;
  } catch (error) {
    // Enquirer rejects with an empty string then.
    if (error === '') throw new SpoqError('cancelled');
    throw error;
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

/** Lets the person choose on the terminal, on stderr. Throws `cancelled` when they leave it, and when the signal fires. */
export async function askChoice(
  stdin: NodeJS.ReadStream,
  stderr: NodeJS.WriteStream,
  question: string,
  choices: { value: string; text: string }[],
  signal: AbortSignal,
): Promise<string> {
  const { default: enquirer } = await import('enquirer');
  // Its types don't know the prompts that it has, nor the streams that they take.
  const { Select } = enquirer as unknown as {
    Select: new (options: object) => { run(): Promise<string>; cancel(): Promise<void> };
  };
  const prompt = new Select({
    name: 'choice',
    message: question,
    choices: choices.map(({ value, text }) => ({ name: value, message: text })),
    stdin,
    stdout: stderr,
  });
  const cancel = (): void => void prompt.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  try {
    signal.throwIfAborted();
    return await prompt.run();
  } catch (error) {
    // Enquirer rejects with an empty string then.
    if (error === '' || error === undefined || signal.aborted) throw new SpoqError('cancelled');
    throw error;
  } finally {
    signal.removeEventListener('abort', cancel);
  }
}
