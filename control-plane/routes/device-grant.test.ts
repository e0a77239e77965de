import { expect } from 'chai';
import { createLocalJWKSet, jwtVerify } from 'jose';
import { DeviceResponse, TokenResponse, type Jwks } from '../../contract/auth.ts';
import { hashToken } from '../cipher.ts';
import { Browser } from '../testing/browser.ts';
import { createTestControlPlane, type TestControlPlane } from '../testing/control-plane.ts';
import { createTestDatabase, type TestDatabase } from '../../test/harness/database.ts';
import { Device } from '../testing/device.ts';
import { createGithubServer, type GithubServer } from '../testing/github-server.ts';
import { meetAtRows } from '../testing/meet-at-rows.ts';

describe('device grant', () => {
  let database: TestDatabase;
  let github: GithubServer;
  let plane: TestControlPlane;
  let device: Device;
  let browser: Browser;
  let userId: string;
  let hostname: string;

  before(async () => {
    database = await createTestDatabase();
    github = await createGithubServer();
  });
  beforeEach(async () => {
    plane = await createTestControlPlane(database, github);
    await database.db.raw('TRUNCATE users, user_vps, sessions, device_grants, rate_limits, signing_keys CASCADE');
    device = new Device(plane.url);
    browser = await plane.signIn();
    const [user] = await database.db('users').select('id');
    userId = user.id;
    hostname = (await plane.createBox(userId)).hostname;
  });
  afterEach(() => plane.close());
  after(async () => {
    await github.close();
    await database.close();
  });

  const decide = (code: string, decision: string) => browser.post('/auth/authorize', { code, decision });
  const lastAudit = () => database.db('audit_log').orderBy('id', 'desc').first('action', 'actor', 'user_id', 'detail');

  describe('from beginning to tokens', () => {
    it('hands an approved device one pair of tokens for the box', async () => {
      const begun = await device.begin('alice-laptop');
      expect(DeviceResponse.parse(begun)).to.deep.equal({
        device_code: begun.device_code,
        user_code: begun.user_code,
        verification_uri: `${plane.url}/auth/verify`,
        verification_uri_complete: `${plane.url}/auth/verify?code=${begun.user_code}`,
        expires_in: 600,
        interval: 5,
      });
      expect(await database.db('device_grants').pluck('device_code_hash')).to.deep.equal([
        hashToken(begun.device_code),
      ]);
      const pending = await device.poll(begun.device_code);
      expect({ status: pending.status, error: pending.body.error }).to.deep.equal({
        status: 400,
        error: 'authorization_pending',
      });
      const page = await browser.get(new URL(begun.verification_uri_complete).pathname + `?code=${begun.user_code}`);
      for (const text of [begun.user_code, 'alice-laptop', '127.0.0.1', 'spoq/0.1.0', 'just now'])
        expect(page.text).to.include(text);
      const done = await decide(begun.user_code, 'approve');
      expect(done.status).to.equal(200);
      expect(done.text).to.include('alice-laptop can use your box now');
      const answer = await device.poll(begun.device_code);
      expect(answer.status).to.equal(200);
      expect(answer.headers.get('cache-control')).to.equal('no-store');
      const tokens = TokenResponse.strict().parse(answer.body);
      expect({ ...tokens, access_token: '', refresh_token: '' }).to.deep.equal({
        access_token: '',
        token_type: 'Bearer',
        expires_in: 600,
        refresh_token: '',
        user_id: userId,
        username: 'octocat',
        vps_hostname: `http://${hostname}:4009`,
        vps_status: 'ready',
      });
      expect(tokens.refresh_token).to.match(/^spoq_[\w-]{43}$/);
      const jwks = (await (await fetch(`${plane.url}/.well-known/jwks.json`)).json()) as Jwks;
      const { payload } = await jwtVerify(tokens.access_token, createLocalJWKSet(jwks), {
        issuer: plane.url,
        audience: hostname,
        typ: 'at+jwt',
        algorithms: ['RS256'],
      });
      expect(payload['user_id']).to.equal(userId);
      const again = await device.poll(begun.device_code);
      expect({ status: again.status, error: again.body.error }).to.deep.equal({ status: 400, error: 'invalid_grant' });
      const secrets = [begun.device_code, begun.user_code, tokens.refresh_token, tokens.access_token];
      for (const secret of secrets) expect(plane.logs.join('\n')).to.not.include(secret);
    });

    it('takes JSON as well', async () => {
      const answer = await device.send('/auth/device', {
        body: JSON.stringify({ client_id: 'spoq-cli' }),
        headers: { 'content-type': 'application/json' },
      });
      expect(answer.status).to.equal(200);
      expect(answer.headers.get('cache-control')).to.equal('no-store');
      DeviceResponse.strict().parse(answer.body);
    });

    it('answers exactly one pair to twenty polls at once', async () => {
      const begun = await device.begin();
      await decide(begun.user_code, 'approve');
      const answers = await Promise.all(Array.from({ length: 20 }, () => device.poll(begun.device_code)));
      const outcomes = answers.map((answer) => answer.body.error ?? 'tokens').toSorted();
      expect(outcomes).to.deep.equal([...Array.from({ length: 19 }, () => 'invalid_grant'), 'tokens']);
      expect(await database.db('refresh_tokens').count()).to.deep.equal([{ count: '1' }]);
    });

    it('tells a denied device, as often as it asks', async () => {
      const begun = await device.begin();
      const page = await decide(begun.user_code, 'deny');
      expect(page.text).to.include('turned away');
      for (const _ of [1, 2]) expect((await device.poll(begun.device_code)).body.error).to.equal('access_denied');
      const { action, actor, detail } = await lastAudit();
      expect({ action, actor, device: detail.device }).to.deep.equal({
        action: 'device.denied',
        actor: `user:${userId}`,
        device: 'laptop',
      });
    });

    it('expires after ten minutes, approved or not, and says so', async () => {
      const [one, two] = [await device.begin(), await device.begin()];
      await decide(two.user_code, 'approve');
      plane.advance(601);
      for (const begun of [one, two])
        expect((await device.poll(begun.device_code)).body.error).to.equal('expired_token');
      expect((await decide(one.user_code, 'approve')).status).to.equal(404);
    });

    it('denies when the box is gone by the time of the poll', async () => {
      const begun = await device.begin();
      await decide(begun.user_code, 'approve');
      await database.db('user_vps').update({ status: 'terminated' });
      expect((await device.poll(begun.device_code)).body.error).to.equal('access_denied');
    });

    for (const status of ['pending', 'provisioning', 'failed'])
      it(`hands out tokens while the box is ${status}`, async () => {
        await database.db('user_vps').update({ status });
        const begun = await device.begin();
        await decide(begun.user_code, 'approve');
        expect((await device.poll(begun.device_code)).body.vps_status).to.equal(status);
      });
  });

  describe('slow_down', () => {
    it('adds five seconds for good to a device that asks too early, and takes a poll that is only a little early', async () => {
      const begun = await device.begin();
      const poll = async (after: number) => {
        plane.advance(after);
        return (await device.poll(begun.device_code)).body.error;
      };
      const interval = async () => (await database.db('device_grants').first('interval_seconds')).interval_seconds;
      expect(await poll(0)).to.equal('authorization_pending');
      expect(await poll(4.5)).to.equal('authorization_pending');
      expect(await poll(1)).to.equal('slow_down');
      expect(await interval()).to.equal(10);
      expect(await poll(5)).to.equal('slow_down');
      expect(await interval()).to.equal(15);
      expect(await poll(15)).to.equal('authorization_pending');
      expect(await interval()).to.equal(15);
      await decide(begun.user_code, 'approve');
      expect(await poll(0)).to.equal(undefined);
    });

    it('never asks for more than a minute', async () => {
      const begun = await device.begin();
      for (let poll = 0; poll < 16; poll += 1) await device.poll(begun.device_code);
      expect((await database.db('device_grants').first('interval_seconds')).interval_seconds).to.equal(60);
    });
  });

  describe('faulty requests', () => {
    const grantType = 'urn:ietf:params:oauth:grant-type:device_code';
    const form = 'application/x-www-form-urlencoded';
    const json = 'application/json';
    const table: [string, string, string, string | undefined, string][] = [
      ['no body', '/auth/device', '', undefined, 'invalid_request'],
      ['no client', '/auth/device', 'hostname=a', form, 'invalid_request'],
      ['another client', '/auth/device', 'client_id=evil', form, 'invalid_client'],
      ['text', '/auth/device', 'client_id=spoq-cli', 'text/plain', 'invalid_request'],
      ['broken JSON', '/auth/device', '{"client_id":', json, 'invalid_request'],
      ['a JSON list', '/auth/device', '[]', json, 'invalid_request'],
      ['a JSON text', '/auth/device', '"spoq-cli"', json, 'invalid_request'],
      ['deep JSON', '/auth/device', '['.repeat(10_000), json, 'invalid_request'],
      ['a parameter twice', '/auth/device', 'client_id=spoq-cli&hostname=a&hostname=b', form, 'invalid_request'],
      ['a prototype', '/auth/device', '{"__proto__":{"client_id":"spoq-cli"}}', json, 'invalid_request'],
      ['20 kB', '/auth/device', `client_id=spoq-cli&hostname=${'a'.repeat(20_000)}`, form, 'invalid_request'],
      [
        'another grant',
        '/auth/device/token',
        'grant_type=password&device_code=a&client_id=spoq-cli',
        form,
        'unsupported_grant_type',
      ],
      ['no device code', '/auth/device/token', `grant_type=${grantType}&client_id=spoq-cli`, form, 'invalid_request'],
      [
        'an unknown device code',
        '/auth/device/token',
        `grant_type=${grantType}&device_code=%07x&client_id=spoq-cli`,
        form,
        'invalid_grant',
      ],
      [
        'a list as device code',
        '/auth/device/token',
        JSON.stringify({ grant_type: grantType, device_code: ['a'], client_id: 'spoq-cli' }),
        json,
        'invalid_request',
      ],
      ['another grant', '/auth/refresh', 'grant_type=password&refresh_token=a', form, 'unsupported_grant_type'],
      ['an unknown token', '/auth/refresh', 'refresh_token=spoq_x', form, 'invalid_grant'],
      [
        "another client's code",
        '/auth/device/token',
        `grant_type=${grantType}&device_code=a&client_id=evil`,
        form,
        'invalid_client',
      ],
      ["another client's token", '/auth/refresh', 'refresh_token=spoq_x&client_id=evil', form, 'invalid_client'],
      ['a token of 15 kB', '/auth/refresh', `refresh_token=${'x'.repeat(15_000)}`, form, 'invalid_request'],
      ["another client's token", '/auth/revoke', 'token=spoq_x&client_id=evil', form, 'invalid_client'],
      ['no token', '/auth/revoke', 'token_type_hint=refresh_token', form, 'invalid_request'],
    ];
    for (const [name, path, body, type, error] of table)
      it(`answers ${error} to ${name} at ${path}`, async () => {
        const answer = await device.send<{ error: string; error_description: string }>(path, {
          body: body === '' ? undefined : body,
          headers: type === undefined ? {} : { 'content-type': type },
        });
        expect({
          status: answer.status,
          error: answer.body.error,
          cache: answer.headers.get('cache-control'),
        }).to.deep.equal({
          status: 400,
          error,
          cache: 'no-store',
        });
        expect(answer.body.error_description).to.match(/^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/);
      });

    it('shows a label without what could dress it up, and escapes the rest', async () => {
      const begun = await device.begin('<b>lap\u202Etop\u0007\n</b>');
      const page = await browser.get(`/auth/verify?code=${begun.user_code}`);
      expect(page.text).to.include('&lt;b&gt;laptop&lt;/b&gt;');
    });

    it('limits how many grants an address begins', async () => {
      await database.db('rate_limits').insert({ key: 'device:127.0.0.1', points: 60, expire: Date.now() + 60_000 });
      const answer = await device.post<{ error: string }>('/auth/device', { client_id: 'spoq-cli' });
      expect({ status: answer.status, error: answer.body.error }).to.deep.equal({
        status: 429,
        error: 'temporarily_unavailable',
      });
      expect(Number(answer.headers.get('retry-after'))).to.be.within(1, 60);
    });
  });

  describe('the page', () => {
    it('sends who is not signed in to GitHub and back, with the code', async () => {
      const begun = await device.begin();
      const stranger = new Browser(plane.url);
      const code = begun.user_code.toLowerCase().replaceAll('-', '+');
      const sent = await stranger.get(`/auth/verify?code=${code}`);
      expect(sent.location).to.equal(
        `/auth/github?return_to=${encodeURIComponent(`/auth/verify?code=${begun.user_code}`)}`,
      );
      const authorize = await stranger.get(sent.location ?? '');
      const back = await stranger.get(github.decide(authorize.location ?? ''));
      expect((await stranger.get(back.location ?? '')).text).to.include('Is this the code in your terminal?');
      expect((await stranger.get('/auth/verify?code=%3Cscript%3E')).text).to.not.include('<script>');
      expect((await new Browser(plane.url).get('/auth/verify?code=nonsense')).location).to.equal(
        '/auth/github?return_to=%2Fauth%2Fverify',
      );
    });

    it('asks for the code, finds it however it is typed, and approves nothing by being looked at', async () => {
      const begun = await device.begin();
      expect((await browser.get('/auth/verify')).text).to.include('<form method="get" action="/auth/verify">');
      const typed = encodeURIComponent(` ${begun.user_code.toLowerCase().replaceAll('-', '  ')} `);
      const page = await browser.get(`/auth/verify?code=${typed}`);
      expect(page.text).to.include(`<p class="word-code" translate="no">${begun.user_code}</p>`);
      expect(page.headers.get('cache-control')).to.equal('no-store');
      expect(page.headers.get('content-security-policy')).to.match(/script-src 'self';.*style-src 'self'/);
      expect(page.text).to.not.match(/<script(?! type="module" src=)|<style| style=| on\w+=/);
      expect(await database.db('device_grants').pluck('status')).to.deep.equal(['pending']);
    });

    it('offers approve and deny alike, and nothing that is chosen beforehand', async () => {
      const begun = await device.begin();
      const { text } = await browser.get(`/auth/verify?code=${begun.user_code}`);
      const buttons = text.match(/<button[^>]*name="decision"[^>]*>/g);
      expect(buttons).to.deep.equal([
        '<button type="submit" name="decision" value="deny">',
        '<button type="submit" name="decision" value="approve">',
      ]);
    });

    it('tells somebody without a box to finish setting up, and lets nothing through', async () => {
      await database.db('user_vps').update({ status: 'terminated' });
      const begun = await device.begin();
      const page = await browser.get(`/auth/verify?code=${begun.user_code}`);
      expect(page.text).to.include('Finish setting up first').and.include('href="/setup"');
      const forced = await decide(begun.user_code, 'approve');
      expect(forced.status).to.equal(404);
      expect(await database.db('device_grants').pluck('status')).to.deep.equal(['pending']);
    });

    it('gives one answer to codes that are unknown, expired, denied, approved or used', async () => {
      const [denied, approved, used, expired] = [
        await device.begin(),
        await device.begin(),
        await device.begin(),
        await device.begin(),
      ];
      await decide(denied.user_code, 'deny');
      await decide(approved.user_code, 'approve');
      await decide(used.user_code, 'approve');
      await device.poll(used.device_code);
      await database
        .db('device_grants')
        .where('word_code', expired.user_code)
        .update({ expires_at: new Date(0) });
      const answers = [];
      for (const code of ['abacus-ablaze-zoom', ...[denied, approved, used, expired].map((grant) => grant.user_code)]) {
        const page = await browser.get(`/auth/verify?code=${code}`);
        const posted = await decide(code, 'approve');
        answers.push([page.status, posted.status, page.text.replaceAll(code, ''), posted.text.replaceAll(code, '')]);
      }
      for (const answer of answers) expect(answer).to.deep.equal(answers[0]);
      expect(answers[0]?.slice(0, 2)).to.deep.equal([404, 404]);
    });

    it('takes a decision from our own page alone, of somebody signed in, and a decision at that', async () => {
      const { user_code: code } = await device.begin();
      const form = { code, decision: 'approve' };
      const sameSite = { 'sec-fetch-site': 'same-site', origin: `http://${hostname}` };
      expect((await browser.post('/auth/authorize', form, sameSite)).status).to.equal(403);
      expect((await browser.post('/auth/authorize', form, { 'sec-fetch-site': 'cross-site' })).status).to.equal(403);
      expect((await browser.post('/auth/authorize', form, { origin: 'https://evil.example' })).status).to.equal(403);
      expect((await new Browser(plane.url).post('/auth/authorize', form)).status).to.equal(401);
      expect((await browser.post('/auth/authorize', { code, decision: 'perhaps' })).status).to.equal(400);
      expect((await browser.post('/auth/authorize', { code })).status).to.equal(400);
      expect((await browser.get('/auth/authorize')).status).to.equal(405);
      expect(await database.db('device_grants').pluck('status')).to.deep.equal(['pending']);
    });

    it('lets one of two deciding at once win', async () => {
      const { user_code: code } = await device.begin();
      const pages = await meetAtRows(database.db, 'device_grants', 2, () =>
        Promise.all([decide(code, 'approve'), decide(code, 'deny')]),
      );
      expect(pages.map((page) => page.status).toSorted()).to.deep.equal([200, 404]);
    });
  });

  describe('guessing', () => {
    it('locks a person out after ten wrong codes, also in parallel and with the right one', async () => {
      const { user_code: code } = await device.begin();
      const guesses = Array.from({ length: 20 }, (_, index) =>
        index % 2 === 0 ? browser.get('/auth/verify?code=abacus-ablaze-zoom') : decide('abacus ablaze zoom', 'approve'),
      );
      const statuses = (await Promise.all(guesses)).map((page) => page.status).toSorted();
      expect(statuses).to.deep.equal([
        ...Array.from({ length: 10 }, () => 404),
        ...Array.from({ length: 10 }, () => 429),
      ]);
      const locked = await decide(code, 'approve');
      expect(locked.status).to.equal(429);
      expect(Number(locked.headers.get('retry-after'))).to.be.within(3500, 3600);
      expect(await database.db('device_grants').pluck('status')).to.deep.equal(['pending']);
    });

    it('counts by address too, whoever is signed in', async () => {
      const key = 'wrong-code-address:127.0.0.1';
      await database.db('rate_limits').insert({ key, points: 30, expire: Date.now() + 60_000 });
      expect((await browser.get('/auth/verify?code=abacus-ablaze-zoom')).status).to.equal(429);
    });

    it('does not count right codes', async () => {
      for (let count = 0; count < 12; count += 1) {
        const { user_code: code } = await device.begin();
        expect((await browser.get(`/auth/verify?code=${code}`)).status).to.equal(200);
        expect((await decide(code, 'deny')).status).to.equal(200);
      }
      const points = await database.db('rate_limits').whereLike('key', 'wrong-code%').pluck('points');
      expect(points).to.deep.equal([0, 0]);
    });
  });
});
