import { expect } from 'chai';
import path from 'node:path';
import { runCommand } from '../tools/run-command.ts';

const ROOT = path.dirname(import.meta.dirname);
const STEPS = [
  'home',
  'checkout',
  'sign_in',
  'password',
  'provision',
  'progress',
  'ready',
  'credentials',
  'install',
  'init',
  'ask',
  'status',
  'logout',
  'machines',
  'preview',
  'destroy',
];

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

/** `npm run journey` as a person runs it: the commands of the README are the tests of the README. */
describe('npm run journey', () => {
  for (const provider of ['contabo', 'hostinger']) {
    it(`walks from the first page to the last step, at ${provider}`, async function () {
      this.timeout(10 * 60_000);
      const argv = ['tools/setup.mjs', 'journey', '--provider', provider, '--json'];
      const { code, stdout, stderr } = await runCommand(process.execPath, argv, { cwd: ROOT, env: process.env });
      const lines = stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, unknown>);
      const told = lines
        .slice(0, -1)
        .map(({ step, ok, error }) => ({ step, ok, ...(error === undefined ? {} : { error }) }));
      expect(told, stderr).to.deep.equal(STEPS.map((step) => ({ step, ok: true })));
      const { ms, ...last } = lines.at(-1) ?? {};
      expect(last).to.deep.equal({ ok: true, story: 'signup', provider, steps: STEPS.length });
      expect(ms).to.be.a('number');
      expect(code).to.equal(0);
    });
  }

  it('lives through a year of a subscriber, along a test clock of Stripe', async function () {
    this.timeout(10 * 60_000);
    const argv = ['tools/setup.mjs', 'journey', '--story', 'year', '--json'];
    const { code, stdout, stderr } = await runCommand(process.execPath, argv, { cwd: ROOT, env: process.env });
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(
      lines.filter(({ ok }) => ok !== true),
      stderr,
    ).to.deep.equal([]);
    expect(lines.slice(8, -1).map(({ step }) => step)).to.deep.equal(YEAR);
    expect([code, lines.at(-1)?.['story']]).to.deep.equal([0, 'year']);
  });

  it('refuses a provider there is not, by name', async () => {
    const argv = ['tools/setup.mjs', 'journey', '--provider', 'nowhere'];
    const { code, stderr } = await runCommand(process.execPath, argv, {
      cwd: ROOT,
      env: { ...process.env, NO_COLOR: '1' },
    });
    expect({ code, stderr }).to.deep.equal({
      code: 64,
      stderr: "There is no provider 'nowhere': it is contabo or hostinger.\n",
    });
  });
});
