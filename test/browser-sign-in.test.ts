import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect } from 'chai';
import type { Page } from 'playwright-core';
import { loadCredentials } from '../cli/auth/credentials.ts';
import { runCli } from '../cli/program.ts';
import { createTestDeps } from '../cli/testing/create-test-deps.ts';
import { createTemporaryFolder } from '../cli/testing/temporary-folder.ts';
import { createTestControlPlane, type TestControlPlane } from '../control-plane/testing/control-plane.ts';
import { createGithubServer, type GithubServer } from '../control-plane/testing/github-server.ts';
import { launchBrowser, type TestBrowser } from './harness/chromium.ts';
import { createTestDatabase, type TestDatabase } from './harness/database.ts';
import { closeServer } from './harness/listen.ts';

describe('spoq init --browser in a browser', function () {
  this.timeout(60_000);
  let browser: TestBrowser;
  let database: TestDatabase;
  let github: GithubServer;
  let plane: TestControlPlane;
  let page: Page;
  /** What the browser refused to do. */
  const refused: string[] = [];

  before(async function () {
    const launched = await launchBrowser();
    if (launched === undefined) {
      console.log('    No Chromium here: it is skipped.');
      return this.skip();
    }
    browser = launched;
    database = await createTestDatabase();
    github = await createGithubServer();
    plane = await createTestControlPlane(database, github);
    const { cookies } = await plane.signIn();
    await plane.createBox((await database.db('users').first('id')).id);
    const known = [...cookies].map(([name, value]) => ({ name, value, url: plane.url }));
    await browser.context.addCookies(known);
    page = await browser.context.newPage();
    page.on('console', (message) => void (message.type() === 'error' && refused.push(message.text())));
  });
  beforeEach(() => void (refused.length = 0));
  after(async () => {
    await browser?.close();
    await plane?.close();
    await github?.close();
    await database?.close();
  });

  /** Runs the program; `decide` is what the person does with the page. */
  async function init(home: string, decide: 'Approve' | 'Deny'): Promise<{ code: number; out: string; err: string }> {
    const deps = createTestDeps({
      homeFolder: home,
      env: { SPOQ_URL: plane.url, DISPLAY: ':0', TERM: 'dumb' },
      tty: true,
      sleep: () => new Promise(() => undefined),
    });
    let shown = Promise.resolve();
    deps.openUrl = (url) => {
      shown = (async () => {
        await page.goto(url);
        await page.getByRole('button', { name: decide }).click();
        await page.getByText('Go back to your terminal').waitFor();
      })();
    };
    const code = await runCli(deps, ['init', '--browser']);
    await shown;
    return { code, out: deps.out(), err: deps.err() };
  }

  it('comes back to the terminal with a sign-in', async () => {
    await using folder = await createTemporaryFolder();
    const { code, out } = await init(folder.path, 'Approve');
    expect(code, out).to.equal(0);
    expect(out).to.match(/Account: {2}.*octocat/);
    expect(await loadCredentials(join(folder.path, '.spoq', 'credentials'))).to.deep.include({ username: 'octocat' });
    expect(page.url()).to.match(/^http:\/\/127\.0\.0\.1:\d+\/callback\?code=/);
    expect(refused).to.deep.equal([]);
  });

  it('comes back to the terminal with a no', async () => {
    await using folder = await createTemporaryFolder();
    const { code, err } = await init(folder.path, 'Deny');
    expect([code, err.includes('The sign-in was denied.')]).to.deep.equal([77, true]);
    expect(refused).to.deep.equal([]);
  });

  it('leads to an address of IPv6 as well', async function () {
    const server = createServer((_, res) => void res.end('arrived'));
    server.listen(0, '::1');
    const [first] = await Promise.race([once(server, 'listening'), once(server, 'error')]).catch((error) => [error]);
    if (first !== undefined) return this.skip();
    try {
      const { port } = server.address() as AddressInfo;
      const query = new URLSearchParams({
        response_type: 'code',
        client_id: 'spoq-cli',
        redirect_uri: `http://[::1]:${port}/callback`,
        code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
        code_challenge_method: 'S256',
      });
      await page.goto(`${plane.url}/auth/cli?${query}`);
      await page.getByRole('button', { name: 'Approve' }).click();
      await page.getByText('arrived').waitFor();
      expect(refused.filter((text) => text.includes('form-action'))).to.deep.equal([]);
    } finally {
      await closeServer(server);
    }
  });
});
