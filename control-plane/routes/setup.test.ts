import { expect } from 'chai';
import { argon2Sync } from 'node:crypto';
import { verify } from 'unixcrypt';
import { waitFor } from '../../test/harness/wait.ts';
import { unsealPasswordCrypt } from '../password/hash.ts';
import { createBoxWorld, GOOD_PASSWORD, type BoxWorld } from '../testing/box-world.ts';
import { Browser } from '../testing/browser.ts';
import { makeBox } from '../testing/scripted-engine.ts';
import { ERRORS, SpoqError } from '../../contract/errors.ts';

const EVIL = '<script>alert(1)</script>"\'&';
const ESCAPED = '&lt;script&gt;alert(1)&lt;/script&gt;';

describe('the pages of the sign-up', function () {
  this.timeout(30_000);
  let world: BoxWorld;
  before(async () => {
    world = await createBoxWorld();
  });
  after(() => world.close());

  it('shows the home page with plans to anybody, with nothing inline', async () => {
    const page = await new Browser(world.cp.url).get('/');
    expect(page.status).to.equal(200);
    expect(page.text).to.contain('$12').and.contain('$24').and.contain('action="/api/subscription/create"');
    expect(page.headers.get('content-security-policy')).to.contain("script-src 'self'").and.contain("style-src 'self'");
    expect(page.text).not.to.match(/<style|style=|<script(?! type="module" src=)|javascript:|\son\w+=/i);
  });

  it('explains every code of an error at the address that problems point to', async () => {
    const { text } = await new Browser(world.cp.url).get('/problems');
    const explained = [...text.matchAll(/<dt id="(\w+)"/g)].map(([, code]) => code);
    expect(explained).to.deep.equal(Object.keys(ERRORS));
  });

  it('serves assets under names that hold their hash, to be kept for ever', async () => {
    const browser = new Browser(world.cp.url);
    const { text } = await browser.get('/');
    const urls = [...text.matchAll(/(?:href|src)="(\/assets\/[^"]+)"/g)].map(([, url]) => url ?? '');
    expect(urls.length).to.be.at.least(3);
    for (const url of urls) {
      const answer = await browser.get(url);
      expect([answer.status, answer.headers.get('cache-control')], url).to.deep.equal([
        200,
        'public, max-age=31536000, immutable',
      ]);
    }
    expect((await browser.get('/assets/spoq.css')).status).to.equal(404);
    expect((await browser.get('/assets/..%2fpages.ts')).status).to.equal(404);
  });

  it('sends everybody to the next step that is not done', async () => {
    const nobody = new Browser(world.cp.url);
    for (const path of ['/setup', '/setup/password', '/setup/region', '/setup/progress', '/setup/ready'])
      expect((await nobody.get(path)).location, path).to.equal('/?choose=1#plans');
    const { browser } = await world.becomeReady('ada');
    for (const path of ['/setup', '/setup/progress', '/setup/ready'])
      expect((await browser.get(path)).location, path).to.equal('/setup/region');
    expect((await browser.get('/setup/password')).status).to.equal(200);
    expect((await browser.get('/')).text).to.contain('Go on setting up');
    await browser.post('/api/vps/provision', { region: 'EU' });
    expect((await browser.get('/setup/password')).location).to.equal('/setup/progress');
    expect((await browser.post('/setup/password', { password: GOOD_PASSWORD })).location).to.equal('/setup/progress');
  });

  it('keeps a good password as two hashes and in no log, and names every rule that a bad one misses', async () => {
    const { browser, userId } = await world.becomeReady('bea');
    const before = await world.database.db('ssh_passwords').where('user_id', userId).first();
    const weak = await browser.post('/setup/password', { password: 'weakling' });
    expect(weak.status).to.equal(422);
    expect(weak.text).to.contain('At least 12 characters').and.contain('role="alert"').and.not.contain('weakling');
    const json = await browser.postJson(
      '/setup/password',
      { password: 'Password123!' },
      { accept: 'application/json' },
    );
    expect(JSON.parse(json.text)).to.deep.include({
      code: 'weak_password',
      errors: [{ field: 'password', message: 'Not a well-known password, nor one with something put around it' }],
    });
    expect(await world.database.db('ssh_passwords').where('user_id', userId).first()).to.deep.equal(before);

    const password = "pässwörd:'; reboot # $6$ 12345 \u{1f40e}";
    expect((await browser.post('/setup/password', { password })).location).to.equal('/setup');
    const row = await world.database.db('ssh_passwords').where('user_id', userId).first();
    const [, , , , nonce = '', tag = ''] = String(row.argon2_hash).split('$');
    const expected = argon2Sync('argon2id', {
      message: password,
      nonce: Buffer.from(nonce, 'base64'),
      memory: 19_456,
      passes: 2,
      parallelism: 1,
      tagLength: 32,
    });
    expect(Buffer.from(tag, 'base64').equals(expected)).to.equal(true);
    const crypt = unsealPasswordCrypt(world.cp.deps.cipher, { user_id: userId, ssh_password_crypt: row.crypt_sealed });
    expect(crypt).to.match(/^\$6\$[./0-9A-Za-z]{16}\$[./0-9A-Za-z]{86}$/);
    expect(verify(password, crypt)).to.equal(true);
    const written = `${world.cp.logs.join()}${JSON.stringify(await world.database.db('audit_log'))}`;
    expect(written).not.to.contain('pässwörd').and.not.contain('Password123!').and.not.contain(crypt);
  });

  it('does not remember a time zone that is none', async () => {
    const { browser } = await world.becomeReady('nora');
    const zones = () => world.database.db('sessions').whereRaw(`data->>'time_zone' IS NOT NULL`).select('data');
    const before = await zones();
    for (const zone of ['\u0007', '\ud800', '<b>', ' ']) {
      const query = new URLSearchParams({ time_zone: zone });
      expect((await browser.get(`/setup/region?${query}`)).status).to.equal(200);
      const form = { password: GOOD_PASSWORD, time_zone: zone };
      expect((await browser.post('/setup/password', form)).location).to.equal('/setup');
    }
    expect(await zones()).to.deep.equal(before);
  });

  it('puts the region first that is nearest to the time zone', async () => {
    const { browser } = await world.becomeReady('cora');
    const chosen = async (path = '/setup/region', headers = {}) =>
      /value="([\w-]+)" checked/.exec((await browser.get(path, headers)).text)?.[1];
    expect(await chosen()).to.equal('EU');
    expect(await chosen('/setup/region?time_zone=Australia%2FPerth')).to.equal('AUS');
    expect(await chosen('/setup/region?time_zone=Mars%2FOlympus', { 'accept-language': 'ja' })).to.equal('JPN');
  });

  it('shows what is known of the progress without any script, and reloads itself', async () => {
    const { browser } = await world.becomeReady('dina');
    await browser.post('/api/vps/provision', { region: 'EU' });
    const page = await browser.get('/setup/progress');
    expect(page.text).to.contain('Setting up your environment').and.contain('dina.spoq.localhost');
    expect(page.text).to.contain('<noscript><meta http-equiv="refresh" content="5"></noscript>');
    expect(page.text)
      .to.match(/class="running" data-step="queued"/)
      .and.match(/class="waiting" data-step="machine"/);
    expect(page.text).to.contain('data-after="1"').and.contain('aria-live="polite"');
  });

  it('escapes whatever it did not write itself', async () => {
    const worker = await world.work();
    world.engine.script.up = [
      async () => {
        throw new SpoqError('engine_failed', { detail: EVIL });
      },
    ];
    const { browser, userId } = await world.becomeReady('eve');
    await world.database.db('users').where('id', userId).update({ username: EVIL });
    await browser.post('/api/vps/provision', { region: 'EU' });
    await world.waitForBox(userId, (box) => box['status'] === 'failed');
    // A GitHub login can't look so; if it ever did, the box would be called plainly.
    const box = await world.database.db('user_vps').where('user_id', userId).first();
    expect(box.hostname).to.equal('box.spoq.localhost');
    await worker.stop();
    const pages = ['/', '/setup/progress', '/problems', '/nowhere'];
    const settle = { ip_address: '127.0.0.1', ssh_host_key_fingerprint: EVIL, status: 'ready', region: EVIL };
    for (const path of pages) {
      const { text } = await browser.get(path);
      expect(text, path).not.to.contain('<script>');
      if (path === '/setup/progress') expect(text.split(ESCAPED).length, path).to.be.at.least(4);
    }
    await world.database.db('user_vps').where('user_id', userId).update(settle);
    const ready = await browser.get('/setup/ready');
    expect(ready.text).to.contain(ESCAPED).and.not.contain('<script>');
    await world.database.db('user_vps').where('user_id', userId).update({ status: 'terminated' });
    await world.database.db('users').where('id', userId).update({ username: 'eve' });
    for (const path of ['/setup/password', '/setup/region?time_zone=%3Cscript%3E', '/welcome', '/?cancelled=1'])
      expect((await browser.get(path)).text, path).not.to.contain('<script>');
  });

  it('shows the credentials once the box is ready', async () => {
    const worker = await world.work();
    world.engine.script.up = [(spec, options) => makeBox(spec, options, world.engine.machines)];
    const { browser } = await world.becomeReady('fiona');
    await browser.post('/api/vps/provision', { region: 'UK' });
    const page = await waitFor('the credentials', async () => {
      const answer = await browser.get('/setup/ready');
      return answer.status === 200 ? answer : undefined;
    });
    for (const text of [
      `curl -sSL ${world.cp.url}/install.sh | bash`,
      'fiona.spoq.localhost',
      '<code>spoq</code>',
      'what you just created',
      '<dt>If the name is not found yet</dt><dd><code>127.0.1.7</code></dd>',
      'SHA256:0123456789abcdefghijklmnopqrstuvwxyzABCDEFG',
      'spoq init\nspoq ask &quot;what is in this folder?&quot;',
      'Portsmouth, United Kingdom',
    ])
      expect(page.text).to.contain(text);
    expect((await browser.get('/setup')).location).to.equal('/setup/ready');
    await worker.stop();
  });
});
