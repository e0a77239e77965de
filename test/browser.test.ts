import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { expect } from 'chai';
import type { Page } from 'playwright-core';
import { makeRepository } from '../tools/journey/repository.ts';
import { startSpoq } from '../tools/journey/spoq.ts';
import type { TemporaryRun } from '../tools/temporary-run.ts';
import { launchBrowser, type TestBrowser } from './harness/chromium.ts';
import { openOperatorSide, type OperatorSide } from './harness/operator-side.ts';
import { START_TIMEOUT_MS, startTestSpoq } from './harness/spoq.ts';

const WIDTHS = [1280, 390] as const;
const SCREENSHOTS = path.join(import.meta.dirname, 'screenshots');
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const PASSWORD = 'tides at Brest, 42!';

interface AxeViolation {
  id: string;
  impact: string | null;
  nodes: { html: string }[];
}

/** What is wrong with a page at this width: anything a visitor would have to scroll sideways for, and axe's grave findings. */
async function findFaults(page: Page): Promise<string[]> {
  const over = await page.evaluate<number>(
    'document.documentElement.scrollWidth - document.documentElement.clientWidth',
  );
  // As the debugger's own text: the page's policy rightly lets no foreign script in.
  await page.evaluate(AXE);
  const { violations } = await page.evaluate<{ violations: AxeViolation[] }>('axe.run()');
  const grave = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
  return [
    ...(over > 0 ? [`overflows by ${over} px`] : []),
    ...grave.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`),
  ];
}

describe('the sign-up in a browser', function () {
  this.timeout(60_000);
  let run: TemporaryRun;
  let side: OperatorSide;
  let browser: TestBrowser;
  let page: Page;
  const complaints: string[] = [];

  /** Leaves a picture of the page at each width and refuses what a person would complain about. */
  async function look(name: string): Promise<void> {
    const faults: string[] = [];
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 844 });
      await page.screenshot({ path: path.join(SCREENSHOTS, `${name}-${width}.png`), fullPage: true });
      faults.push(...(await findFaults(page)).map((fault) => `${name} at ${width}: ${fault}`));
    }
    await page.setViewportSize({ width: WIDTHS[0], height: 844 });
    expect(faults).to.deep.equal([]);
  }

  before(async function () {
    this.timeout(START_TIMEOUT_MS);
    const launched = await launchBrowser();
    if (launched === undefined) {
      console.log('    No Chromium here: the browser journey is skipped.');
      return this.skip();
    }
    browser = launched;
    mkdirSync(SCREENSHOTS, { recursive: true });
    run = await startTestSpoq();
    side = await openOperatorSide(run);
    page = await browser.context.newPage();
    page.on('pageerror', (error) => complaints.push(`${page.url()}: ${error.message}`));
    page.on('console', (message) => {
      if (message.type() === 'error') complaints.push(`${page.url()}: ${message.text()}`);
    });
  });
  after(async () => {
    await browser?.close();
    await side?.close();
    await run?.stop();
  });

  it('shows what Spoq is and what it costs', async () => {
    await page.goto(run.baseUrl);
    await look('home');
    await page.goto(`${run.baseUrl}/problems`);
    await look('problems');
  });

  it('takes the payment', async () => {
    await page.goto(run.baseUrl);
    await page.getByRole('button', { name: 'Subscribe to Basic' }).click();
    await page.waitForURL((url) => url.origin === new URL(String(run.urls['stripe'])).origin);
    await look('stripe');
    await page.getByLabel('Email').fill('ada@example.com');
    await page.getByLabel('Card number').fill('4000 0000 0000 0002');
    await page.getByRole('button', { name: /^Pay/ }).click();
    expect(await page.getByRole('alert').textContent()).to.match(/declined/i);
    await page.getByLabel('Card number').fill('4242 4242 4242 4242');
    await page.getByRole('button', { name: /^Pay/ }).click();
    await page.getByRole('heading', { name: 'Payment received' }).waitFor();
    await look('welcome');
  });

  it('signs in with GitHub', async () => {
    await page.getByRole('button', { name: 'Sign in with GitHub' }).click();
    await page.waitForURL((url) => url.origin === new URL(String(run.urls['github'])).origin);
    await look('github');
    await page.getByLabel('Somebody else').fill('Ada-Lovelace');
    await page.getByRole('button', { name: 'Authorize' }).click();
    await page.getByRole('heading', { name: 'Choose an SSH password' }).waitFor();
  });

  it('says live which rules a password misses, and refuses it on the server too', async () => {
    const field = page.getByLabel('Password', { exact: true });
    await field.fill('short');
    await look('password');
    const missing = await page.locator('[data-rule]').evaluateAll((items) => items.map((item) => item.textContent));
    expect(missing.join('\n')).to.match(/12.*missing[\s\S]*number.*missing[\s\S]*special.*missing/i);
    await field.fill(PASSWORD);
    expect(await page.locator('[data-rule] [data-state]').allTextContents()).to.satisfy((states: string[]) =>
      states.every((state) => !/missing/i.test(state)),
    );
    await page.getByRole('button', { name: 'Keep this password' }).click();
    await page.getByRole('heading', { name: 'Where shall your box be?' }).waitFor();
  });

  it('sets the box up before the eyes of its owner, reload or not', async () => {
    await side.setDelays({ provisioning_ms: 2500, installing_ms: 2500 });
    expect(await page.getByRole('radio').first().isChecked()).to.equal(true);
    await look('region');
    await page.getByRole('button', { name: 'Set up my box' }).click();
    await page.getByRole('heading', { name: 'Setting up your environment' }).waitFor();
    const machine = page.locator('[data-step="machine"]');
    await machine.getByText(/Contabo: provisioning/).waitFor();
    await look('progress');
    await page.reload();
    // What was told before the reload is there again, from the server.
    expect(await page.locator('[data-step="keys"]').getAttribute('class')).to.equal('done');
    await machine.getByText(/Contabo: installing/).waitFor();
    await page.waitForURL('**/setup/ready', { timeout: 45_000 });
  });

  it('shows the credentials', async () => {
    await look('ready');
    const text = await page.locator('main').innerText();
    for (const part of ['/install.sh', 'ada-lovelace.spoq.localhost', 'spoq', 'SHA256:']) expect(text).to.contain(part);
    expect(text).not.to.contain(PASSWORD);
  });

  it('says what a rebuild would take away, does it before the eyes of the owner, and restarts', async () => {
    await side.setDelays({ installing_ms: 1500, action_ms: 500 });
    await page.getByRole('link', { name: 'Restart, rebuild and more' }).click();
    await page.getByRole('heading', { name: 'Your box', exact: true }).waitFor();
    await look('account');
    await page.getByRole('button', { name: 'Rebuild your box' }).click();
    await look('rebuild');
    const name = page.getByLabel(/to say that you mean it/);
    await name.fill('another.spoq.localhost');
    await page.getByRole('button', { name: 'Wipe and rebuild it' }).click();
    expect(await page.getByRole('alert').textContent()).to.contain('Nothing was done.');
    await look('rebuild-refused');
    await name.fill('ada-lovelace.spoq.localhost');
    await page.getByRole('button', { name: 'Wipe and rebuild it' }).click();
    await page.locator('[data-step="machine"]').getByText('Contabo: installing', { exact: true }).waitFor();
    await look('rebuild-progress');
    await page.waitForURL('**/account', { timeout: 45_000 });
    expect(await page.getByRole('status').textContent()).to.contain('is back, and answers.');
    await side.addFault({
      vendor: 'contabo',
      method: 'POST',
      path: 'actions/restart$',
      status: 503,
      body: {},
      times: 6,
    });
    await page.getByRole('button', { name: 'Restart your box' }).click();
    await look('restart');
    await page.getByRole('button', { name: 'Restart it' }).click();
    await page.getByRole('alert').getByText('The restart did not succeed').waitFor();
    await look('account-failed');
    await page.getByRole('link', { name: 'Try again' }).click();
    await page.getByRole('button', { name: 'Restart it' }).click();
    await page.getByRole('status').waitFor({ timeout: 45_000 });
    await look('account-back');
  });

  it('lets a device in only after its code was compared', async () => {
    const home = path.join(run.scratch, 'home');
    const env = { PATH: process.env['PATH'], SPOQ_URL: run.baseUrl, SPOQ_HOME: home, HOME: home };
    const init = startSpoq({ spoq: run.prepared.spoq, cwd: run.scratch, env }, ['init', '--no-browser']);
    const [, url = ''] = await init.waitFor(/(http\S+code=\S+)/);
    const code = new URL(url).searchParams.get('code') ?? '';
    await page.goto(`${run.baseUrl}/auth/verify`);
    await look('verify-enter');
    await page.goto(url);
    expect(await page.locator('main').innerText()).to.contain(code);
    await look('verify-confirm');
    await page.getByRole('button', { name: 'Approve' }).click();
    await page.getByRole('heading', { name: 'The device is signed in' }).waitFor();
    await look('verify-done');
    const { code: exit, stdout, stderr } = await init.ended;
    expect({ exit, said: `${stderr}${stdout}` }).to.have.property('exit', 0);
    await page.goto(`${run.baseUrl}/account/devices`);
    expect(await page.locator('main').innerText()).to.contain('Chrome on Linux (this browser)');
    expect(await page.getByRole('button', { name: /^Sign out .+, last used/ }).count()).to.be.greaterThan(1);
    await look('devices');
    await page.goto(`${run.baseUrl}/account`);
    const repository = path.join(run.scratch, 'tides');
    await makeRepository(repository, process.env);
    const ask = await startSpoq({ spoq: run.prepared.spoq, cwd: repository, env }, ['ask', 'what does this do?']).ended;
    expect({ code: ask.code, answered: ask.stdout.length > 50 }).to.deep.equal({ code: 0, answered: true });
  });

  it('says what went wrong when a box cannot be made, and tries again', async () => {
    await page.getByRole('button', { name: 'Sign out' }).click();
    await side.addFault({
      vendor: 'contabo',
      method: 'POST',
      path: 'compute/instances$',
      status: 400,
      body: { statusCode: 400, message: ['productId is not available'] },
    });
    await page.goto(run.baseUrl);
    await page.getByRole('button', { name: 'Subscribe to Plus' }).click();
    await page.getByLabel('Email').fill('bob@example.com');
    await page.getByRole('button', { name: /^Pay/ }).click();
    await page.getByRole('button', { name: 'Sign in with GitHub' }).click();
    await page.getByLabel('Somebody else').fill('bob-the-second');
    await page.getByRole('button', { name: 'Authorize' }).click();
    await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
    await page.getByRole('button', { name: 'Keep this password' }).click();
    await page.getByRole('button', { name: 'Set up my box' }).click();
    await page.getByRole('heading', { name: 'Your box could not be set up' }).waitFor();
    await look('failed');
    expect(await page.locator('main').innerText()).to.match(/nobody is charged for a box that isn't there/);
    await side.clearFaults();
    await page.getByRole('button', { name: 'Try again' }).click();
    await page.waitForURL('**/setup/ready', { timeout: 45_000 });
  });

  it('keeps its look where there is nothing, and in the sandbox', async () => {
    await page.goto(`${run.baseUrl}/nothing-here`);
    await look('not-found');
    await page.goto(run.urls.page);
    await look('sandbox');
  });

  it('met no script error and nothing that its own policy blocks', () => {
    // Pages that are refused on purpose: a declined card, and an address with nothing behind it.
    const unexpected = complaints.filter(
      (text) => !/\/c\/pay\/.*402|nothing-here.*404|account\/rebuild.*400/.test(text),
    );
    expect(unexpected).to.deep.equal([]);
  });
});
