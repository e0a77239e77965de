import { expect } from 'chai';
import { listenToJourney, runJourney, TO_THE_ANSWER, TO_THE_BOX } from './harness/journey-run.ts';

const STEPS = [...TO_THE_ANSWER, 'logout', 'machines', 'preview', 'destroy'];

const YEAR = [
  'renewals',
  'payment_fails',
  'switched_off',
  'paid_again',
  'changed_mind',
  'lost_webhooks',
  'card_expires',
  'comes_back',
  'leaves',
  'new_box',
  'accounts',
];

/** The commands of the README are the tests of the README. */
describe('npm run journey', () => {
  for (const provider of ['contabo', 'hostinger']) {
    it(`walks from the first page to the last step, at ${provider}`, async function () {
      this.timeout(10 * 60_000);
      const { code, steps, verdict, stderr } = await listenToJourney(['--provider', provider]);
      expect(steps, stderr).to.deep.equal(STEPS.map((step) => ({ step, ok: true })));
      const { ms, ...rest } = verdict;
      expect(rest).to.deep.equal({ ok: true, story: 'signup', provider, steps: STEPS.length });
      expect(ms).to.be.a('number');
      expect(code).to.equal(0);
    });
  }

  it('lives through a year of a subscriber, along a test clock of Stripe', async function () {
    this.timeout(10 * 60_000);
    const { code, steps, verdict, stderr } = await listenToJourney(['--story', 'year']);
    expect(steps, stderr).to.deep.equal([...TO_THE_BOX, ...YEAR].map((step) => ({ step, ok: true })));
    expect([code, verdict['ok'], verdict['story']]).to.deep.equal([0, true, 'year']);
  });

  it('refuses a provider there is not, by name', async () => {
    const { code, stderr } = await runJourney(['--provider', 'nowhere'], { ...process.env, NO_COLOR: '1' });
    expect({ code, stderr }).to.deep.equal({
      code: 64,
      stderr: "There is no provider 'nowhere': it is contabo or hostinger.\n",
    });
  });
});
