import { expect } from 'chai';
import { waitFor } from '../../test/harness/wait.ts';
import { SpoqError } from '../../contract/errors.ts';
import { createBoxWorld, type BoxWorld } from '../testing/box-world.ts';
import { Browser } from '../testing/browser.ts';

describe('the page of a box', function () {
  this.timeout(30_000);
  let world: BoxWorld;
  let browser: Browser;
  let id: string;
  before(async () => {
    world = await createBoxWorld();
    const person = await world.becomeReady('alice');
    browser = person.browser;
    await browser.post('/api/vps/provision', { region: 'EU' });
    const worker = await world.work();
    const box = await world.waitForBox(person.userId, (one) => one['status'] === 'ready');
    id = String(box['id']);
    await worker.stop();
  });
  after(() => world.close());
  const box = () => world.database.db('user_vps').where({ id }).first();
  const count = async () => Number((await box()).operation_number);

  it('leads strangers, and those whose box is not there yet, to where they stand', async () => {
    const stranger = new Browser(world.cp.url);
    const { browser: early } = await world.becomeReady('bert');
    for (const path of ['/account', '/account/progress', '/account/restart', '/account/rebuild']) {
      expect((await stranger.get(path)).location).to.equal(`/auth/github?return_to=${encodeURIComponent(path)}`);
      expect((await early.get(path)).location, path).to.equal('/setup/region');
    }
    expect((await stranger.post('/account/restart', {})).status).to.equal(401);
    expect((await early.post('/account/restart', {})).status).to.equal(404);
    await world.database.db('user_vps').where({ id }).update({ status: 'provisioning' });
    expect((await browser.get('/account')).location).to.equal('/setup/progress');
    const refused = await browser.post('/account/restart', {});
    expect([refused.status, refused.text]).to.satisfy(
      ([status, text]: [number, string]) => status === 409 && /The box is provisioning/.test(text),
    );
    await world.database.db('user_vps').where({ id }).update({ status: 'ready' });
    expect(await count()).to.equal(0);
  });

  it('tells what there is, and what can be done to it', async () => {
    const page = await browser.get('/account');
    expect(page.status).to.equal(200);
    for (const part of ['alice.spoq.localhost', '127.0.1.7', 'Nuremberg, Germany', 'Basic: 4 virtual', 'SHA256:0123'])
      expect(page.text).to.contain(part);
    for (const link of ['/account/restart', '/account/rebuild', '/setup/ready'])
      expect(page.text).to.contain(`href="${link}"`);
    expect(page.text).not.to.match(/role="(alert|status)"/);
    expect((await browser.get('/setup/ready')).text).to.contain('href="/account"');
    expect((await browser.get('/account/dance')).status).to.equal(404);
  });

  it('says what a change would do before it is asked for, and does nothing by that', async () => {
    const restart = await browser.get('/account/restart');
    for (const part of [
      'Nothing has been done yet',
      'Contabo switches alice.spoq.localhost off and on again',
      'Restart it',
    ])
      expect(restart.text).to.contain(part);
    const rebuild = await browser.get('/account/rebuild');
    for (const part of [
      'Everything on its disk: all files of spoq',
      'Nobody can bring it back',
      'rsync -a spoq@alice.spoq.localhost: my-box/',
      'Its name, its address and its SSH host key',
      'Your plan, its price and the day it renews stay as they are',
    ])
      expect(rebuild.text).to.contain(part);
    const move = await browser.get('/account/move');
    for (const part of [
      'We get another machine, where you say, copy what is on alice.spoq.localhost to it',
      'A list of the packages and a copy of /etc',
      '<optgroup label="Contabo">',
      '<option value="contabo/UK">Portsmouth, United Kingdom</option>',
    ])
      expect(move.text).to.contain(part);
    expect(move.text).not.to.contain('contabo/EU').and.not.to.contain('rsync');
    expect(await count()).to.equal(0);
  });

  it('moves to where boxes can be made, and nowhere else', async () => {
    const nowhere = await browser.post('/account/move', { hostname: 'alice.spoq.localhost', to: 'contabo/Atlantis' });
    expect([nowhere.status, nowhere.text.includes('to is none of contabo/EU')]).to.deep.equal([400, true]);
    const unsaid = await browser.post('/account/move', { to: 'contabo/UK' });
    expect([unsaid.status, unsaid.text.includes('is not alice.spoq.localhost. Nothing was done.')]).to.deep.equal([
      400,
      true,
    ]);
    expect(await count()).to.equal(0);
  });

  it('rebuilds only for who has typed the name, and takes nothing from another site', async () => {
    const wrong = await browser.post('/account/rebuild', { hostname: 'bert.spoq.localhost' });
    expect(wrong.status).to.equal(400);
    expect(wrong.text).to.contain('What you typed is not alice.spoq.localhost. Nothing was done.');
    for (const site of ['same-site', 'cross-site', 'none'])
      expect((await browser.post('/account/restart', {}, { 'sec-fetch-site': site })).status, site).to.equal(403);
    expect(await count()).to.equal(0);
  });

  it('shows what goes on, on every page of it, and how it ended', async () => {
    const asked = await browser.post('/account/rebuild', { hostname: ' Alice.spoq.localhost ' });
    expect([asked.status, asked.location]).to.deep.equal([303, '/account/progress']);
    expect((await browser.post('/account/rebuild', { hostname: 'alice.spoq.localhost' })).status).to.equal(303);
    expect(await count()).to.equal(1);
    const progress = await browser.get('/account/progress');
    for (const part of ['The rebuild of your box', 'Your rebuild is next.', 'Installing your machine anew', 'refresh'])
      expect(progress.text).to.contain(part);
    expect(progress.text).not.to.contain('Making your keys');
    expect((await browser.get('/account')).text).to.contain('is going on');
    expect((await browser.get('/account/restart')).location).to.equal('/account/progress');
    const busy = await browser.post('/account/restart', {});
    expect([busy.status, busy.text]).to.satisfy(
      ([status, text]: [number, string]) => status === 409 && text.includes('A rebuild of the box is going on'),
    );

    world.engine.script.up.unshift(async () => {
      throw new SpoqError('engine_failed', { detail: 'Contabo did not reinstall the machine: Maintenance.' });
    });
    const worker = await world.work();
    await waitFor('the failure', async () => (await box()).operation_failure !== null);
    expect((await browser.get('/account/progress')).location).to.equal('/account');
    const failed = await browser.get('/account');
    for (const part of [
      'The rebuild did not succeed:',
      'Contabo did not reinstall the machine: Maintenance.',
      'Kept: the machine, its name, its address and your subscription.',
      'href="/account/rebuild">Try again',
    ])
      expect(failed.text).to.contain(part);
    expect((await browser.get('/setup')).location).to.equal('/setup/ready');
    const ready = (await browser.get('/setup/ready')).text;
    expect(ready).to.contain('did not succeed').and.not.contain('waits for your first question');

    await browser.post('/account/restart', {});
    await waitFor('the restart', async () => (await box()).operation === null);
    expect((await browser.get('/account')).text).to.contain('is back, and answers.');
    world.cp.advance(16 * 60);
    expect((await browser.get('/account')).text).not.to.contain('is back, and answers.');
    world.cp.advance(-16 * 60);
    await worker.stop();
  });

  it('changes the password, and says of a bad one what it misses', async () => {
    const form = (await browser.get('/account/password')).text;
    for (const part of ['We set a new password for spoq on alice.spoq.localhost', 'The password that you have now.'])
      expect(form).to.contain(part);
    const before = await box();
    const weak = await browser.post('/account/password', { password: 'short' });
    expect([weak.status, weak.text.includes('This password was not kept.')]).to.deep.equal([422, true]);
    expect(await box()).to.deep.equal(before);
    const asked = await browser.post('/account/password', { password: 'Moonflower-lake-72' });
    expect([asked.status, asked.location]).to.deep.equal([303, '/account/progress']);
    expect((await browser.get('/account/progress')).text).to.contain('Changing the password on your box');
    expect((await browser.get('/account/password')).location).to.equal('/account/progress');
    const busy = await browser.post('/account/password', { password: 'Starflower-lake-73' });
    expect([busy.status, busy.text.includes('A change of the password of the box is going on')]).to.deep.equal([
      409,
      true,
    ]);
    const worker = await world.work();
    await waitFor('the change', async () => (await box()).operation === null);
    expect((await browser.get('/account')).text).to.contain('Your new password is in force.');
    expect((await box()).ssh_password_hash).not.to.equal(before.ssh_password_hash);
    expect(JSON.stringify(world.cp.logs)).not.to.contain('flower');
    await worker.stop();
  });

  it('offers no change of the password where a living box cannot be changed', async () => {
    const none = await createBoxWorld({ BOX_CONVERGE: 'none' });
    try {
      const { browser: other, userId } = await none.becomeReady('nina');
      await none.cp.createBox(userId);
      expect((await other.get('/account')).text).not.to.contain('password"');
      expect((await other.get('/account/password')).status).to.equal(404);
    } finally {
      await none.close();
    }
  });

  it('streams an operation to its end', async () => {
    await browser.post('/account/restart', {});
    const cookie = [...browser.cookies].map((pair) => pair.join('=')).join('; ');
    const response = await fetch(`${world.cp.url}/api/vps/status`, {
      headers: { accept: 'text/event-stream', cookie },
    });
    const worker = await world.work();
    const text = await response.text();
    const statuses = [...text.matchAll(/event: status\ndata: (.*)/g)].map(([, data = '']) => {
      const { status, operation } = JSON.parse(data) as { status: string; operation: string | null };
      return `${status} ${operation}`;
    });
    expect([statuses[0], statuses.at(-1)]).to.deep.equal(['ready restart', 'ready null']);
    expect(text).to.contain('Your box is back, and answers.');
    await worker.stop();
  });
});
