import { SpoqError } from '../../contract/errors.ts';
import type { CliDeps, Key } from '../deps.ts';
import { fitOutput } from './fit.ts';

/**
 * Lets the person choose by number on the terminal, on stderr; Enter alone takes nothing. Answers the value. Throws `cancelled` on Ctrl-C, Ctrl-D
 * and Escape, and the reason of the signal when it fires: then another device was first.
 */
export async function askChoice(
  deps: Pick<CliDeps, 'stderr' | 'env' | 'keyboard' | 'signal'>,
  question: string,
  choices: { value: string; text: string }[],
): Promise<string> {
  deps.signal.throwIfAborted();
  const lines = deps.env.TERM === 'dumb';
  const { promise, resolve, reject } = Promise.withResolvers<{ value: string; text: string }>();
  const onStop = (): void => reject(deps.signal.reason);
  let typed = '';
  const onKey = ({ name, text, ctrl }: Key): void => {
    if (name === 'escape' || name === 'closed' || (ctrl && (name === 'c' || name === 'd')))
      return reject(new SpoqError('cancelled'));
    typed = name === 'return' || name === 'enter' ? typed : typed + text;
    const found = choices[Number(typed.trim()) - 1];
    // One key is enough where the terminal tells of it.
    if (found !== undefined && (!lines || name === 'return')) resolve(found);
    if (!lines || name === 'return') typed = '';
  };
  deps.signal.addEventListener('abort', onStop);
  const stop = deps.keyboard.listen(onKey, { lines });
  try {
    const options = choices.map(({ text }, index) => `  ${index + 1}  ${text}\n`).join('');
    await fitOutput(deps.stderr).write(`${question}\n${options}1 to ${choices.length}: `);
    const answer = await promise;
    if (!lines) await deps.stderr.write(`${choices.indexOf(answer) + 1}\n`);
    return answer.value;
  } catch (error) {
    await deps.stderr.write('\n');
    throw error;
  } finally {
    stop();
    deps.signal.removeEventListener('abort', onStop);
  }
}
