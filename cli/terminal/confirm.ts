import { SpoqError } from '../../contract/errors.ts';
import type { CliDeps, Key } from '../deps.ts';
import { fitOutput } from './fit.ts';

/** A space, and `yes`, which is the longest answer, or `^C`. */
const ANSWER_COLUMNS = 4;

/**
 * Asks yes or no on the terminal, on stderr; Enter alone means no. Throws `cancelled` on Ctrl-C, Ctrl-D and Escape, and when the program is
 * stopped.
 */
export async function askConfirmation(
  deps: Pick<CliDeps, 'stderr' | 'env' | 'keyboard' | 'signal'>,
  question: string,
): Promise<boolean> {
  deps.signal.throwIfAborted();
  const lines = deps.env.TERM === 'dumb';
  const { promise, resolve, reject } = Promise.withResolvers<boolean>();
  const onStop = (): void => reject(deps.signal.reason);
  let typed = '';
  const onKey = ({ name, text, ctrl }: Key): void => {
    if (name === 'escape' || name === 'closed' || (ctrl && (name === 'c' || name === 'd')))
      return reject(new SpoqError('cancelled'));
    if (name === 'return' || name === 'enter') return resolve(/^y(es)?$/i.test(typed.trim()));
    typed += text;
    // One key is enough where the terminal tells of it.
    if (!lines && /^[yn]$/i.test(text)) resolve(text.toLowerCase() === 'y');
  };
  deps.signal.addEventListener('abort', onStop);
  const stop = deps.keyboard.listen(onKey, { lines });
  try {
    await fitOutput(deps.stderr, ANSWER_COLUMNS).write(`${question} (y/N) `);
    const answer = await promise;
    if (!lines) await deps.stderr.write(answer ? 'yes\n' : 'no\n');
    return answer;
  } catch (error) {
    await deps.stderr.write('\n');
    throw error;
  } finally {
    stop();
    deps.signal.removeEventListener('abort', onStop);
  }
}
