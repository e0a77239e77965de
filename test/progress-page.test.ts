import { expect } from 'chai';
import type { Page } from 'playwright-core';
import { BOOT_REPORTS_PATH } from '../contract/boot.ts';
import { createBoxWorld, type BoxWorld } from '../control-plane/testing/box-world.ts';
import { launchBrowser, type TestBrowser } from './harness/chromium.ts';

describe('the page of a box that sets itself up', function () {
  this.timeout(60_000);
  let world: BoxWorld;
  let browser: TestBrowser;
  let page: Page;

  before(async function () {
    const launched = await launchBrowser({ viewport: { width: 390, height: 844 } });
    if (launched === undefined) {
      console.log('    No Chromium here: the page of a set-up is not looked at.');
      return this.skip();
    }
    browser = launched;
    world = await createBoxWorld();
    page = await browser.context.newPage();
  });
  after(async () => {
    await browser?.close();
    await world?.close();
  });

  const report = async (token: string, fields: Record<string, string>): Promise<void> => {
    const headers = { authorization: `Bearer ${token}` };
    const body = new URLSearchParams(fields);
    const answer = await fetch(world.cp.url + BOOT_REPORTS_PATH, { method: 'POST', headers, body });
    expect(answer.status).to.equal(204);
  };
  /** The lines below the step of the box: `done Packages are installed`. */
  const readParts = (): Promise<string[]> =>
    page.evaluate<string[]>(
      `[...document.querySelectorAll('[data-parts] > li')].map((item) => item.className + ' ' + item.firstChild.textContent)`,
    );
  const untilParts = (count: number, state: string): Promise<unknown> =>
    page.waitForSelector(`[data-parts] > li:nth-child(${count}).${state}`, { state: 'attached' });

  it('shows its steps as they come, the same after a reload, and which one has failed', async () => {
    const given = Promise.withResolvers<string>();
    world.engine.script.up.unshift((spec, { signal }) => {
      given.resolve(spec.report?.token ?? '');
      const { promise, reject } = Promise.withResolvers<never>();
      signal?.addEventListener('abort', () => reject(new Error('interrupted')), { once: true });
      return promise;
    });
    const worker = await world.work();
    const person = await world.becomeReady('ida');
    await person.browser.post('/api/vps/provision', { region: 'EU' });
    await browser.context.addCookies(
      [...person.browser.cookies].map(([name, value]) => ({ name, value, url: world.cp.url })),
    );
    await page.goto(`${world.cp.url}/setup/progress`);
    const token = await given.promise;
    expect(await readParts()).to.deep.equal([]);

    await report(token, { step: 'account', state: 'started' });
    await untilParts(1, 'running');
    await report(token, { step: 'account', state: 'done' });
    await report(token, { step: 'packages', state: 'started' });
    await untilParts(2, 'running');
    const shown = ['done Your account is there', 'running Installing packages'];
    expect(await readParts()).to.deep.equal(shown);
    expect(await page.getAttribute('[data-step=box]', 'class')).to.equal('running');
    await page.reload();
    expect(await readParts()).to.deep.equal(shown);
    const width = 'document.documentElement.scrollWidth - document.documentElement.clientWidth';

    await report(token, { step: 'packages', state: 'failed', log: `E: ${'x'.repeat(150)}\nE: <b>no</b> mirror` });
    await page.waitForSelector('h1:text("Your box could not be set up")');
    expect(await page.textContent('.notice')).to.include('(installing packages): E: <b>no</b> mirror');
    expect((await readParts())[1]).to.match(/^failed Installing packages\nE: x+\nE: <b>no<\/b> mirror$/);
    expect(await page.evaluate<number>(width), 'wider than a phone').to.equal(0);
    await worker.stop();
  });
});
