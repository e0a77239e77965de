import { expect } from 'chai';
import { ERRORS, SpoqError } from '../../contract/errors.ts';
import type { ErrorCode } from '../../contract/errors.ts';
import { createTestDeps } from '../testing/create-test-deps.ts';
import { reportError } from './report-error.ts';

const PLAIN = { json: false, noColor: false };

describe('reportError', () => {
  it('says what happened and what to do next', async () => {
    const deps = createTestDeps();
    const faults = [{ field: 'budget', message: 'must be a number' }];
    const error = new SpoqError('model_rate_limited', { detail: 'Too\u001b[2J fast.', faults, retryAfterSeconds: 90 });
    expect(await reportError(deps, error, PLAIN)).to.equal(69);
    expect(deps.err()).to.equal(
      '✗ The model provider limits the rate.\n  Too fast.\n  budget: must be a number\n  Wait 1 min.\n  Wait a moment and ask again.\n',
    );
  });

  it('is a problem document with --json', async () => {
    const deps = createTestDeps();
    await reportError(deps, new SpoqError('not_authenticated'), { ...PLAIN, json: true });
    expect(JSON.parse(deps.err())).to.deep.equal({
      type: '/problems#not_authenticated',
      title: 'This computer is not signed in',
      status: 401,
      code: 'not_authenticated',
      next_step: "Run 'spoq init' first.",
    });
  });

  it('uses colours on a terminal, unless it is told not to', async () => {
    const write = async (env: Record<string, string>, noColor = false): Promise<string> => {
      const deps = createTestDeps({ tty: true, env });
      await reportError(deps, new SpoqError('no_box'), { json: false, noColor });
      return deps.err();
    };
    expect(await write({ TERM: 'xterm' })).to.contain('\u001b[31m✗');
    for (const plain of [await write({ NO_COLOR: '1' }), await write({ TERM: 'dumb' }), await write({}, true)]) {
      expect(plain).to.equal('✗ You have no box yet.\n  Finish setting up on the web page.\n');
    }
  });

  it('names a fault of its own and shows where it came from only with SPOQ_DEBUG', async () => {
    const deps = createTestDeps();
    expect(await reportError(deps, new TypeError('x is not a function'), PLAIN)).to.equal(1);
    expect(deps.err()).to.equal(
      '✗ Something broke on our side.\n  This is a fault in spoq itself. TypeError: x is not a function\n  Try again with SPOQ_DEBUG=1 and tell us what it says.\n',
    );
    const debug = createTestDeps({ env: { SPOQ_DEBUG: '1' } });
    await reportError(debug, new TypeError('x'), PLAIN);
    expect(debug.err()).to.contain('report-error.test.ts');
  });

  for (const code of Object.keys(ERRORS) as ErrorCode[]) {
    it(`exits ${ERRORS[code].exit} for ${code}`, async () => {
      const deps = createTestDeps();
      expect(await reportError(deps, new SpoqError(code), PLAIN)).to.equal(ERRORS[code].exit);
      expect([1, 4, 64, 69, 74, 77, 130]).to.include(ERRORS[code].exit);
    });
  }
});
