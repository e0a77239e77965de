import { expect } from 'chai';
import { SpoqError } from '../../contract/errors.ts';
import { createTestDeps } from '../testing/create-test-deps.ts';
import type { TestDeps } from '../testing/create-test-deps.ts';
import { askConfirmation } from './confirm.ts';

async function ask(press: (deps: TestDeps) => void, env: Record<string, string> = {}): Promise<[unknown, string]> {
  const deps = createTestDeps({ tty: true, env });
  const answer = askConfirmation(deps, 'Sure?').catch((error: unknown) => (error as SpoqError).code);
  press(deps);
  return [await answer, deps.err()];
}

describe('a yes or no', () => {
  it('is one key, and no by itself', async () => {
    expect(await ask(({ press }) => press({ text: 'y' }))).to.deep.equal([true, 'Sure? (y/N) yes\n']);
    expect(await ask(({ press }) => press({ text: 'N' }))).to.deep.equal([false, 'Sure? (y/N) no\n']);
    expect(await ask(({ press }) => press({ name: 'return' }))).to.deep.equal([false, 'Sure? (y/N) no\n']);
    const strange = await ask(({ press }) => {
      press({ text: 'x' });
      press({ text: 'y' });
    });
    expect(strange[0]).to.equal(true);
  });

  it('is a line where the terminal only prints', async () => {
    const type = async (text: string): Promise<unknown> => {
      const [answer] = await ask(
        ({ press }) => {
          press({ text });
          press({ name: 'return' });
        },
        { TERM: 'dumb' },
      );
      return answer;
    };
    expect(await Promise.all(['y', 'YES ', 'n', '', 'yikes'].map(type))).to.deep.equal([
      true,
      true,
      false,
      false,
      false,
    ]);
  });

  it('is not answered by Ctrl-C, Ctrl-D, Escape, the end of the terminal, or a stop', async () => {
    const stopped = ['Sure? (y/N) \n'];
    for (const key of [{ name: 'c', ctrl: true }, { name: 'd', ctrl: true }, { name: 'escape' }, { name: 'end' }])
      expect(await ask(({ press }) => press(key))).to.deep.equal(['cancelled', ...stopped]);
    expect(await ask(({ stop }) => stop.abort(new SpoqError('cancelled')))).to.deep.equal(['cancelled', ...stopped]);
  });
});
