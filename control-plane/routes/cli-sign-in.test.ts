import { expect } from 'chai';
import { createHash } from 'node:crypto';
import { createTestDatabase, type TestDatabase } from '../../test/harness/database.ts';
import { TokenResponse } from '../../contract/auth.ts';
import { Browser } from '../testing/browser.ts';
import { createTestControlPlane, type TestControlPlane } from '../testing/control-plane.ts';
import { Device } from '../testing/device.ts';
import { createGithubServer, type GithubServer } from '../testing/github-server.ts';
import { meetAtRows } from '../testing/meet-at-rows.ts';

const VERIFIER = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk';
const REDIRECT = 'http://127.0.0.1:4567/callback';
const REQUEST = {
  response_type: 'code',
  client_id: 'spoq-cli',
  redirect_uri: REDIRECT,
  code_challenge: createHash('sha256').update(VERIFIER).digest('base64url'),
  code_challenge_method: 'S256',
  state: 'state-1',
  hostname: 'alice-laptop',
};

describe('sign-in of a program on the same computer', () => {
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
    ({ id: userId } = await database.db('users').first('id'));
    ({ hostname } = await plane.createBox(userId));
  });
  afterEach(() => plane.close());
  after(async () => {
    await github.close();
    await database.close();
  });

  const pathOf = (changes: Record<string, string> = {}) =>
    `/auth/cli?${new URLSearchParams({ ...REQUEST, ...changes })}`;
  const decide = (decision: string, changes: Record<string, string> = {}) =>
    browser.post('/auth/cli', { ...REQUEST, decision, ...changes });
  const approve = async () => new URL((await decide('approve')).location ?? '').searchParams.get('code') ?? '';
  const exchange = (code: string, changes: Record<string, string> = {}) =>
    device.post<TokenResponse & { error?: string }>('/auth/token', {
      grant_type: 'authorization_code',
      code,
      redirect_uri: REDIRECT,
      code_verifier: VERIFIER,
      client_id: 'spoq-cli',
      ...changes,
    });
  const lastAudit = () => database.db('audit_log').orderBy('id', 'desc').first('action', 'actor', 'user_id', 'detail');

  describe('the page', () => {
    it('shows whose account and box it is, what asks and where it waits, and decides nothing', async () => {
      const page = await browser.get(pathOf());
      expect(page.status).to.equal(200);
      for (const text of ['octocat', hostname, 'alice-laptop', '127.0.0.1', REDIRECT, 'spoq init --browser'])
        expect(page.text).to.include(text);
      expect(page.text.match(/<button[^>]*name="decision"[^>]*>/g)).to.deep.equal([
        '<button type="submit" name="decision" value="deny">',
        '<button type="submit" name="decision" value="approve">',
      ]);
      expect(page.headers.get('cache-control')).to.equal('no-store');
      expect(await database.db('authorization_codes')).to.deep.equal([]);
    });

    it('lets its form lead back to where the program waits, and nowhere else', async () => {
      const policyOf = async (changes: Record<string, string> = {}) =>
        /form-action ([^;]*)/.exec(
          (await browser.get(pathOf(changes))).headers.get('content-security-policy') ?? '',
        )?.[1];
      const stripe = new URL(plane.deps.config.STRIPE_API_URL).origin;
      expect(await policyOf()).to.equal(`'self' http://127.0.0.1:4567 ${stripe}`);
      expect(await policyOf({ redirect_uri: 'http://[::1]:4567/callback' })).to.equal(`'self' http: ${stripe}`);
    });

    it('sends who is not signed in to GitHub and back, with the whole request', async () => {
      const stranger = new Browser(plane.url);
      const path = pathOf({ hostname: 'ä'.repeat(120), state: '~'.repeat(200) });
      const sent = await stranger.get(path);
      const authorize = await stranger.get(sent.location ?? '');
      const back = await stranger.get(github.decide(authorize.location ?? ''));
      expect(new URL(back.location ?? '', plane.url).searchParams.toString()).to.equal(
        new URL(path, plane.url).searchParams.toString(),
      );
      expect((await stranger.get(back.location ?? '')).text).to.include('octocat');
    });

    it('escapes what the program says of itself, and drops what could dress it up', async () => {
      const page = await browser.get(pathOf({ hostname: '<b>lap\u202Etop</b>', state: '"><script>' }));
      expect(page.text).to.include('&lt;b&gt;laptop&lt;/b&gt;').and.not.include('<script>');
    });

    it('tells somebody without a box to finish setting up, and lets nothing through', async () => {
      await database.db('user_vps').update({ status: 'terminated' });
      expect((await browser.get(pathOf())).text).to.include('Finish setting up first');
      const forced = await decide('approve');
      expect({ status: forced.status, location: forced.location }).to.deep.equal({ status: 404, location: null });
    });

    it('takes a decision from our own page alone, of somebody signed in, and a decision at that', async () => {
      const form = { ...REQUEST, decision: 'approve' };
      const foreign: Record<string, string>[] = [
        { 'sec-fetch-site': 'same-site', origin: `http://${hostname}` },
        { 'sec-fetch-site': 'cross-site' },
        { origin: REDIRECT.replace('/callback', '') },
      ];
      for (const headers of foreign) expect((await browser.post('/auth/cli', form, headers)).status).to.equal(403);
      expect((await new Browser(plane.url).post('/auth/cli', form)).status).to.equal(401);
      for (const decision of ['perhaps', '']) expect((await decide(decision)).status).to.equal(400);
      expect(await database.db('authorization_codes')).to.deep.equal([]);
    });
  });

  describe('the way back', () => {
    const evil = [
      'https://evil.example/callback',
      'http://evil.example:4567/callback',
      'http://127.0.0.1:4567/callback/../evil',
      'http://127.0.0.1:4567/callback?next=evil',
      'http://127.0.0.1:4567/callback#evil',
      'http://127.0.0.1:4567/CALLBACK',
      'http://127.0.0.1:4567/',
      'http://127.0.0.1/callback',
      'http://127.0.0.1:0/callback',
      'http://127.0.0.1:65536/callback',
      'http://127.0.0.1:04567/callback',
      'http://127.0.0.1:4567@evil.example/callback',
      'http://evil@127.0.0.1:4567/callback',
      'http://127.0.0.1.evil.example:4567/callback',
      'http://localhost:4567/callback',
      'http://127.1:4567/callback',
      'http://2130706433:4567/callback',
      'http://127.0.0.2:4567/callback',
      'http://[::]:4567/callback',
      'http://[::ffff:127.0.0.1]:4567/callback',
      'https://127.0.0.1:4567/callback',
      'HTTP://127.0.0.1:4567/callback',
      '//127.0.0.1:4567/callback',
      ' http://127.0.0.1:4567/callback',
      'http://127.0.0.1:4567/callback\n',
      'http://127.0.0.1:4567\\@evil.example/callback',
      'javascript:alert(1)',
      'spoq://callback',
      '',
    ];
    for (const redirect of evil)
      it(`never is ${JSON.stringify(redirect)}`, async () => {
        const stranger = new Browser(plane.url);
        const answers = [
          await browser.get(pathOf({ redirect_uri: redirect })),
          await browser.get(pathOf({ redirect_uri: redirect, response_type: 'token' })),
          await stranger.get(pathOf({ redirect_uri: redirect })),
          await decide('approve', { redirect_uri: redirect }),
          await decide('deny', { redirect_uri: redirect }),
        ];
        for (const { status, location } of answers)
          expect({ status, location }).to.deep.equal({ status: 400, location: null });
        expect(await database.db('authorization_codes')).to.deep.equal([]);
      });

    it('never is that of another client, or one of two', async () => {
      for (const path of [pathOf({ client_id: 'evil' }), `${pathOf()}&redirect_uri=https%3A%2F%2Fevil.example`]) {
        const { status, location } = await browser.get(path);
        expect({ status, location }).to.deep.equal({ status: 400, location: null });
      }
    });

    for (const redirect of [REDIRECT, 'http://127.0.0.1:1/callback', 'http://[::1]:65535/callback'])
      it(`may be ${redirect}`, async () => {
        const { status, location, headers } = await decide('approve', { redirect_uri: redirect });
        const url = new URL(location ?? '');
        const code = url.searchParams.get('code') ?? '';
        expect(status).to.equal(303);
        expect(location).to.equal(`${redirect}?code=${code}&state=state-1&iss=${encodeURIComponent(plane.url)}`);
        expect(headers.get('cache-control')).to.equal('no-store');
        expect(headers.get('referrer-policy')).to.equal('no-referrer');
      });

    it('tells the program that it was denied', async () => {
      const { location } = await decide('deny');
      expect(Object.fromEntries(new URL(location ?? '').searchParams)).to.deep.include({
        error: 'access_denied',
        state: 'state-1',
        iss: plane.url,
      });
      expect(await database.db('authorization_codes')).to.deep.equal([]);
    });

    const faults: [string, Record<string, string>, string, string | undefined][] = [
      ['another response type', { response_type: 'token' }, 'unsupported_response_type', 'state-1'],
      ['no response type', { response_type: '' }, 'invalid_request', 'state-1'],
      ['no challenge', { code_challenge: '' }, 'invalid_request', 'state-1'],
      ['a challenge that is the verifier', { code_challenge_method: 'plain' }, 'invalid_request', 'state-1'],
      ['no method', { code_challenge_method: '' }, 'invalid_request', 'state-1'],
      ['a short challenge', { code_challenge: 'abc' }, 'invalid_request', 'state-1'],
      ['a long state', { state: 'x'.repeat(201) }, 'invalid_request', undefined],
      ['a long name', { hostname: 'x'.repeat(121) }, 'invalid_request', 'state-1'],
    ];
    for (const [name, changes, error, state] of faults)
      it(`tells the program of ${name}`, async () => {
        const { status, location } = await browser.get(pathOf(changes));
        const { error_description: _, ...told } = Object.fromEntries(new URL(location ?? '').searchParams);
        expect({ status, told }).to.deep.equal({
          status: 302,
          told: { error, ...(state === undefined ? {} : { state }), iss: plane.url },
        });
      });

    it('does without a state where none came', async () => {
      const { state: _, ...rest } = REQUEST;
      const { location } = await browser.post('/auth/cli', { ...rest, decision: 'approve' });
      expect([...new URL(location ?? '').searchParams.keys()]).to.deep.equal(['code', 'iss']);
    });
  });

  describe('the code', () => {
    it('gives the tokens of a new device once, and is nowhere to be read', async () => {
      const code = await approve();
      const { action, actor, detail } = await lastAudit();
      expect({ action, actor, detail }).to.deep.equal({
        action: 'device.approved',
        actor: `user:${userId}`,
        detail: { device: 'alice-laptop', device_ip: '127.0.0.1', redirect_uri: REDIRECT },
      });
      const { status, headers, body } = await exchange(code);
      expect(status).to.equal(200);
      expect(headers.get('cache-control')).to.equal('no-store');
      const tokens = TokenResponse.strict().parse(body);
      expect(tokens).to.deep.include({ username: 'octocat', user_id: userId, vps_hostname: `http://${hostname}:4009` });
      expect((await lastAudit()).action).to.equal('device.signed_in');
      expect(await database.db('refresh_tokens').pluck('device_label')).to.deep.equal(['alice-laptop']);
      const dump = JSON.stringify(await database.db('authorization_codes')) + plane.logs.join('\n');
      for (const secret of [code, VERIFIER]) expect(dump).to.not.include(secret);
      expect((await device.refresh(tokens.refresh_token)).status).to.equal(200);
    });

    const wrong: [string, Record<string, string>, string][] = [
      ['another verifier', { code_verifier: 'x'.repeat(43) }, 'invalid_grant'],
      ['another redirect_uri', { redirect_uri: 'http://127.0.0.1:4568/callback' }, 'invalid_grant'],
      ['no verifier', { code_verifier: '' }, 'invalid_request'],
      ['a short verifier', { code_verifier: 'abc' }, 'invalid_request'],
      ['no redirect_uri', { redirect_uri: '' }, 'invalid_request'],
      ['another client', { client_id: 'evil' }, 'invalid_client'],
      ['no client', { client_id: '' }, 'invalid_request'],
      ['a secret', { client_secret: 'guessed' }, 'invalid_client'],
      ['another code', { code: 'unknown' }, 'invalid_grant'],
      ['no code', { code: '' }, 'invalid_request'],
      ['another grant', { grant_type: 'password' }, 'unsupported_grant_type'],
      ['a grant of every object', { grant_type: 'constructor' }, 'unsupported_grant_type'],
      ['no grant', { grant_type: '' }, 'invalid_request'],
    ];
    for (const [name, changes, error] of wrong)
      it(`gives nothing to ${name}`, async () => {
        const code = await approve();
        const { status, body, headers } = await exchange(code, changes);
        expect({ status, error: body.error, cache: headers.get('cache-control') }).to.deep.equal({
          status: 400,
          error,
          cache: 'no-store',
        });
        expect(await database.db('refresh_tokens')).to.deep.equal([]);
      });

    it('gives nothing to a client that authenticates, and says so in its own scheme', async () => {
      const form = new URLSearchParams({ grant_type: 'authorization_code', code: await approve() });
      const headers = { authorization: 'Basic c3BvcS1jbGk6c2VjcmV0' };
      const answer = await device.send<{ error: string }>('/auth/token', { body: form, headers });
      expect([answer.status, answer.body.error, answer.headers.get('www-authenticate')]).to.deep.equal([
        401,
        'invalid_client',
        'Basic realm="spoq"',
      ]);
    });

    it('is used up by the first attempt, also a wrong one', async () => {
      const code = await approve();
      await exchange(code, { code_verifier: 'x'.repeat(43) });
      expect((await exchange(code)).body.error).to.equal('invalid_grant');
    });

    it('is good for a minute', async () => {
      const [early, late] = [await approve(), await approve()];
      plane.advance(58);
      expect((await exchange(early)).status).to.equal(200);
      plane.advance(3);
      expect((await exchange(late)).body.error).to.equal('invalid_grant');
    });

    it('that comes a second time ends the tokens made from it, and no others', async () => {
      const other = await device.signIn(browser, 'phone');
      const code = await approve();
      const tokens = (await exchange(code)).body;
      plane.advance(120);
      expect((await exchange(code)).body.error).to.equal('invalid_grant');
      const { action, detail } = await lastAudit();
      expect({ action, device: detail.device }).to.deep.equal({
        action: 'authorization_code.reused',
        device: 'alice-laptop',
      });
      expect((await device.refresh(tokens.refresh_token)).body.error).to.equal('invalid_grant');
      expect((await device.refresh(other.refresh_token)).status).to.equal(200);
      await exchange(code);
      const reused = database.db('audit_log').where({ action: 'authorization_code.reused', user_id: userId });
      expect(await reused.count()).to.deep.equal([{ count: '1' }]);
    });

    it('leaves nobody signed in when two bring it at once', async () => {
      const code = await approve();
      const answers = await meetAtRows(database.db, 'authorization_codes', 2, () =>
        Promise.all([exchange(code), exchange(code)]),
      );
      expect(answers.map(({ status }) => status).toSorted()).to.deep.equal([200, 400]);
      expect(await database.db('refresh_tokens').whereNull('revoked_at')).to.deep.equal([]);
    });

    it('gives nothing when the box is gone by then', async () => {
      const code = await approve();
      await database.db('user_vps').update({ status: 'terminated' });
      expect((await exchange(code)).body.error).to.equal('invalid_grant');
    });
  });
});
