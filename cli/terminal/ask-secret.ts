import { SpoqError } from '../../contract/errors.ts';
import type { CliDeps, Key } from '../deps.ts';
import { fitOutput } from './fit.ts';

/**
 * Asks for a secret on the terminal, on stderr, and shows nothing of it, not even how long it is. Throws `cancelled` on Ctrl-C, Ctrl-D and
 * Escape, and when the program is stopped.
 */
export async function askSecret(
  deps: Pick<CliDeps, 'stderr' | 'keyboard' | 'signal'>,
  question: string,
): Promise<string> {
  deps.signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const onStop = (): void => reject(deps.signal.reason);
  let typed = '';
  const onKey = ({ name, text, ctrl }: Key): void => {
    if (name === 'escape' || name === 'closed' || (ctrl && (name === 'c' || name === 'd')))
      return reject(new SpoqError('cancelled'));
    if (name === 'return' || name === 'enter') return resolve(typed);
    if (name === 'backspace') typed = typed.slice(0, -1);
    else if (ctrl && name === 'u') typed = '';
    else typed += text;
  };
  deps.signal.addEventListener('abort', onStop);
  // Key by key also where a terminal only prints: by lines it would show them.
  const stop = deps.keyboard.listen(onKey, { lines: false });
  try {
    await fitOutput(deps.stderr).write(`${question} `);
    return await promise;
  } finally {
    await deps.stderr.write('\n');
    stop();
    deps.signal.removeEventListener('abort', onStop);
  }
}
