import { join } from 'node:path';
import { expect } from 'chai';
import type { BillingNotice } from '../../contract/billing.ts';
import { runCli } from '../program.ts';
import { createTestDeps } from '../testing/create-test-deps.ts';
import { sendJson, startFakeServer } from '../testing/fake-server.ts';
import { createCredentials, createTokens, writeCredentials } from '../testing/sign-in.ts';
import { createTemporaryFolder } from '../testing/temporary-folder.ts';

const NOTICE: BillingNotice = {
  code: 'box_stopped',
  message:
    'Your last payment has failed. Your box is switched off, with everything on it kept until Friday, 2 April 2027.',
  at: '2027-04-02T00:00:00.000Z',
  url: 'https://spoq.dev/account/billing',
};
/** Nothing listens there. */
const OFF = 'http://alice.spoq.localhost:9';

interface Result {
  code: number;
  out: string;
  err: string;
}

/** `spoq <args>` with a box that is off and a control plane that renews the sign-in with `notice`. */
async function run(args: string[], notice: BillingNotice | undefined, known?: BillingNotice): Promise<Result> {
  await using folder = await createTemporaryFolder();
  await using server = await startFakeServer({
    'POST /auth/refresh': (_, res) =>
      sendJson(res, 200, createTokens({ vps_hostname: OFF, ...(notice === undefined ? {} : { notice }) })),
  });
  const path = join(folder.path, '.spoq', 'credentials');
  await writeCredentials(
    path,
    createCredentials({ vps_hostname: OFF, ...(known === undefined ? {} : { notice: known }) }),
  );
  const deps = createTestDeps({ homeFolder: folder.path, env: { SPOQ_URL: server.url } });
  const code = await runCli(deps, args);
  return { code, out: deps.out(), err: deps.err() };
}

describe('a box that nobody pays for, from the command line', () => {
  for (const args of [['ask', 'Is anybody there?'], ['status']])
    it(`is told to be switched off by spoq ${args[0]}, with the day that matters and where to pay`, async () => {
      const { code, err } = await run(args, NOTICE);
      const said = err.replaceAll(/\s+/g, ' ');
      expect(code).to.equal(69);
      expect(said).to.include('The box is switched off');
      expect(said).to.include('kept until Friday, 2 April 2027').and.include('https://spoq.dev/account/billing');
    });

  it('is not blamed when it is away for another reason', async () => {
    const { code, err } = await run(['status'], undefined);
    expect([code, err.includes('cannot be reached'), err.includes('switched off')]).to.deep.equal([69, true, false]);
  });

  it('is announced before a question is sent, to people and to programs', async () => {
    const ahead: BillingNotice = { ...NOTICE, code: 'payment_failed', message: 'Your box is switched off on Monday.' };
    expect((await run(['ask', 'Hello?'], ahead, ahead)).err).to.include(`${ahead.message} ${ahead.url}`);
    const [first] = (await run(['ask', '--json', 'Hello?'], ahead, ahead)).err.split('\n');
    expect(JSON.parse(first ?? '')).to.deep.equal({ type: 'notice', ...ahead });
    expect((await run(['status'], ahead, ahead)).out).to.match(/^Paying +Your box is switched off on Monday\./m);
  });
});
