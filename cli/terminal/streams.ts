import { fstatSync } from 'node:fs';
import { SpoqError } from '../../contract/errors.ts';
import type { Input, Output } from '../deps.ts';

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
export function askConfirmation(
  stdin: NodeJS.ReadStream,
  stderr: NodeJS.WriteStream,
  question: string,
): Promise<boolean> {
  return ask(stdin, stderr, { type: 'confirm', message: question, initial: false });
}

/** Asks for a secret, of which nothing is shown, not even how long it is. Throws `cancelled` as above. */
export function askSecret(stdin: NodeJS.ReadStream, stderr: NodeJS.WriteStream, question: string): Promise<string> {
  return ask(stdin, stderr, { type: 'invisible', message: question });
}

async function ask<T>(stdin: NodeJS.ReadStream, stderr: NodeJS.WriteStream, prompt: object): Promise<T> {
  const { default: enquirer } = await import('enquirer');
  try {
    // Its types don't know the streams that its prompts take.
    const { answer } = await enquirer.prompt<{ answer: T }>({
      ...prompt,
      name: 'answer',
      stdin,
      stdout: stderr,
    } as never);
    return answer;
  } catch (error) {
    // Enquirer rejects with an empty string then.
    if (error === '') throw new SpoqError('cancelled');
    throw error;
  }
}
