import { fstatSync } from 'node:fs';
import { SpoqError } from '../../contract/errors.ts';
import type { CliDeps, Input, Output } from '../deps.ts';

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

/** Whether a person can be asked and answered here. */
export function isConversational(deps: Pick<CliDeps, 'stdin' | 'stdout' | 'stderr'>): boolean {
  return deps.stdin.isTTY && deps.stdout.isTTY && deps.stderr.isTTY;
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
