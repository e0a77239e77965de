import { expect } from 'chai';
import { SpoqError } from '../../contract/errors.ts';
import { createTestDeps } from '../testing/create-test-deps.ts';
import type { TestDeps } from '../testing/create-test-deps.ts';
import { askSecret } from './ask-secret.ts';

async function ask(press: (deps: TestDeps) => void): Promise<[unknown, string]> {
  const deps = createTestDeps({ tty: true });
  const answer = askSecret(deps, 'Key:').catch((error: unknown) => (error as SpoqError).code);
  press(deps);
  return [await answer, deps.err()];
}

describe('a secret', () => {
  it('is typed and corrected without being shown', async () => {
    const typed = await ask(({ press }) => {
      for (const text of 'wrong') press({ text });
      press({ name: 'u', ctrl: true });
      for (const text of 'sk-12x') press({ text });
      press({ name: 'backspace' });
      press({ name: 'return' });
    });
    expect(typed).to.deep.equal(['sk-12', 'Key: \n']);
  });

  it('is not given by Ctrl-C, Ctrl-D, Escape, the end of the terminal, or a stop', async () => {
    for (const key of [{ name: 'c', ctrl: true }, { name: 'd', ctrl: true }, { name: 'escape' }, { name: 'closed' }])
      expect(await ask(({ press }) => press(key))).to.deep.equal(['cancelled', 'Key: \n']);
    expect(await ask(({ stop }) => stop.abort(new SpoqError('cancelled')))).to.deep.equal(['cancelled', 'Key: \n']);
  });
});
