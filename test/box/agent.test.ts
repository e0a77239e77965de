import { expect } from 'chai';
import { listenToJourney, TO_THE_ANSWER } from '../harness/journey-run.ts';

const STEPS = [...TO_THE_ANSWER, 'run', 'cut', 'exec'];

/** As a person runs it: the real spoq, a box that boots, and the sandbox's model on a script. */
describe('npm run journey -- --story agent', function () {
  this.timeout(10 * 60_000);

  it('has a bug repaired on the box and the patch taken here, also while the line is cut every second', async () => {
    const { code, steps, verdict, stderr } = await listenToJourney(['--story', 'agent']);
    expect(steps, stderr).to.deep.equal(STEPS.map((step) => ({ step, ok: true })));
    expect(verdict).to.deep.include({ ok: true, story: 'agent', steps: STEPS.length });
    expect(code).to.equal(0);
  });
});
