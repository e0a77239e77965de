import { expect } from 'chai';
import { SpoqError } from '../../contract/errors.ts';
import { createTestDeps, type TestDeps } from '../testing/create-test-deps.ts';
import { createTokens } from '../testing/sign-in.ts';
import type { ControlPlane, TokenAnswer } from './control-plane.ts';
import { waitForApproval } from './device-grant.ts';

const GRANT = {
  device_code: 'd',
  user_code: 'BLUE-FISH-TREE',
  verification_uri: 'https://spoq.dev/auth/verify',
  verification_uri_complete: 'https://spoq.dev/auth/verify?code=BLUE-FISH-TREE',
  expires_in: 900,
  interval: 5,
};
type Answer = TokenAnswer | Error;
const refuse = (error: (TokenAnswer & { ok: false })['error'], description?: string): Answer => ({
  ok: false,
  error,
  ...(description && { description }),
});
const pending = refuse('authorization_pending');
const approved: Answer = { ok: true, tokens: createTokens() };

/** Polls against these answers, the last one for ever. */
async function poll(...answers: Answer[]): Promise<{ result: unknown; waits: number[] }> {
  return pollWith(createTestDeps(), answers);
}

async function pollWith(deps: TestDeps, answers: Answer[]): Promise<{ result: unknown; waits: number[] }> {
  let asked = 0;
  const pollDevice = (): Promise<TokenAnswer> => {
    const answer = answers[Math.min(asked++, answers.length - 1)] ?? pending;
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  };
  const controlPlane = { pollDevice } as Partial<ControlPlane> as ControlPlane;
  const result = await waitForApproval(deps, controlPlane, GRANT).catch((error: unknown) => error);
  return { result, waits: deps.waits.map((ms) => Math.round(ms)) };
}

describe('waitForApproval', () => {
  it('polls at the interval, a tenth slower against clocks that run fast', async () => {
    expect(await poll(pending, pending, approved)).to.deep.equal({ result: createTokens(), waits: [5500, 5500, 5500] });
  });

  it('polls the same by a clock that is ten minutes or forty days off, or jumps while it waits', async () => {
    for (const off of [-600_000, 600_000, 40 * 86_400_000]) {
      const start = Date.parse('2026-01-02T03:04:05Z');
      let looks = 0;
      const now = () => start + (looks++ === 0 ? 0 : off);
      const { result, waits } = await pollWith(createTestDeps({ now }), [pending, pending, approved]);
      expect({ result, waits }, `${off} ms`).to.deep.equal({ result: createTokens(), waits: [5500, 5500, 5500] });
    }
  });

  it('slows down by five seconds, for good', async () => {
    const { waits } = await poll(refuse('slow_down'), pending, refuse('slow_down'), approved);
    expect(waits).to.deep.equal([5500, 11_000, 11_000, 16_500]);
  });

  it('waits out network trouble and a server that is down, ever longer, then at the usual pace', async () => {
    const trouble = [
      new SpoqError('control_plane_unreachable'),
      refuse('server_error'),
      refuse('temporarily_unavailable'),
    ];
    const { result, waits } = await poll(...trouble, pending, approved);
    expect(result).to.deep.equal(createTokens());
    expect(waits).to.deep.equal([5500, 11_000, 22_000, 44_000, 5500]);
  });

  it('stops waiting at a minute between polls, and when the code has expired', async () => {
    const { result, waits } = await poll(new SpoqError('control_plane_unreachable'));
    expect(result).to.include({ code: 'sign_in_expired', exit: 4 });
    expect(Math.max(...waits)).to.equal(66_000);
    expect(waits.reduce((sum, ms) => sum + ms, 0)).to.be.within(900_000, 966_000);
  });

  for (const [answer, expected] of [
    [
      refuse('access_denied', 'The request was denied on the web page.'),
      { code: 'sign_in_denied', exit: 77, detail: 'The request was denied on the web page.' },
    ],
    [refuse('expired_token'), { code: 'sign_in_expired', exit: 4 }],
    [
      refuse('invalid_grant', 'The device code was used.'),
      { code: 'sign_in_expired', detail: 'The device code was used.' },
    ],
    [
      refuse('invalid_client'),
      { code: 'invalid_request', detail: 'invalid_client', next: 'Update spoq and try again.' },
    ],
    [new SpoqError('invalid_request'), { code: 'invalid_request' }],
  ] as const) {
    it(`ends with ${expected.code} (${'detail' in expected ? expected.detail : 'no detail'})`, async () => {
      expect((await poll(pending, answer)).result).to.include(expected);
    });
  }
});
