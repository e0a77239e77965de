import { request } from 'node:http';
import { expect } from 'chai';
import { runVendor, type RunningVendor } from '../run-vendor.ts';
import { beginSignIn, REDIRECT_URI, signIn } from './testing.ts';
import { createGithubVendor } from './vendor.ts';

describe('the GitHub vendor', () => {
  let running: RunningVendor;
  beforeEach(async () => {
    running = await runVendor('github', createGithubVendor);
  });
  afterEach(() => running.close());

  const get = (path: string, token: string, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(running.url + path, {
      headers: { accept: 'application/vnd.github+json', authorization: `Bearer ${token}`, ...headers },
    });
  const json = async (response: Promise<Response>): Promise<Record<string, unknown>> =>
    (await (await response).json()) as Record<string, unknown>;

  it('asks who to be, with a picture of each, and whom it is for', async () => {
    const { url } = await beginSignIn(running, { login: 'zoe' });
    const page = await (await fetch(url)).text();
    for (const login of ['alice', 'bob', 'carol', 'dave', 'Grace-B-Hopper', 'mallory']) {
      expect(page).to.include(`value="${login}"`);
    }
    expect(page).to.include('user:email').and.to.include('http://127.0.0.1:9').and.to.include('value="zoe"');
    const avatar = await fetch(running.url + (/\/avatars\/u\/\d+/.exec(page)?.[0] ?? ''));
    expect(avatar.headers.get('content-type')).to.match(/^image\/svg\+xml/);
    expect(await avatar.text()).to.include('>AL</text>');
    expect((await fetch(`${running.url}/avatars/u/1`)).status).to.equal(404);
  });

  it('gives a code for a token and a token for a person', async () => {
    const attempt = await beginSignIn(running);
    const callback = await attempt.choose({ login: 'alice' });
    expect(callback.href.startsWith(REDIRECT_URI)).to.equal(true);
    expect(callback.searchParams.get('state')).to.equal(attempt.state);
    const answer = (await (await attempt.redeem(callback)).json()) as Record<string, string>;
    expect(answer).to.deep.equal({ access_token: answer['access_token'], token_type: 'bearer', scope: 'user:email' });
    expect(answer['access_token']).to.match(/^gho_[A-Za-z0-9]{36}$/);
    const response = await get('/user', answer['access_token'] ?? '');
    expect(await response.json()).to.deep.include({
      id: 583_101,
      login: 'alice',
      email: 'alice@example.com',
      avatar_url: `${running.url}/avatars/u/583101?v=4`,
      user_view_type: 'public',
    });
    expect(response.headers.get('x-ratelimit-remaining')).to.equal('4999');
    expect(response.headers.get('x-oauth-scopes')).to.equal('user:email');
  });

  it('answers the token form-encoded unless JSON is asked for, and takes Basic credentials', async () => {
    const attempt = await beginSignIn(running);
    const callback = await attempt.choose({ login: 'alice' });
    const { GITHUB_CLIENT_ID: id = '', GITHUB_CLIENT_SECRET: secret = '' } = running.vendor.credentials;
    const response = await fetch(`${running.url}/login/oauth/access_token`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` },
      body: new URLSearchParams({ code: callback.searchParams.get('code') ?? '', code_verifier: attempt.verifier }),
    });
    expect(response.headers.get('content-type')).to.match(/^application\/x-www-form-urlencoded/);
    expect([...new URLSearchParams(await response.text()).keys()]).to.deep.equal([
      'access_token',
      'token_type',
      'scope',
    ]);
  });

  it('sends a refusal back when the person denies', async () => {
    const attempt = await beginSignIn(running);
    const callback = await attempt.choose({ deny: '1' });
    expect(callback.searchParams.get('error')).to.equal('access_denied');
    expect(callback.searchParams.get('state')).to.equal(attempt.state);
    expect(callback.searchParams.has('code')).to.equal(false);
  });

  for (const [what, error, break_] of [
    ['a wrong secret', 'incorrect_client_credentials', { secret: 'wrong' }],
    ['a wrong verifier', 'bad_verification_code', { verifier: 'x'.repeat(43) }],
    ['another redirect_uri', 'redirect_uri_mismatch', { redirectUri: `${REDIRECT_URI}/elsewhere` }],
  ] as const) {
    it(`answers ${what} with 200 and ${error}`, async () => {
      const attempt = await beginSignIn(running);
      const response = await attempt.redeem(await attempt.choose({ login: 'alice' }), break_);
      expect(response.status).to.equal(200);
      const body = (await response.json()) as Record<string, string>;
      expect(Object.keys(body)).to.deep.equal(['error', 'error_description', 'error_uri']);
      expect(body['error']).to.equal(error);
    });
  }

  it('takes a code once, for ten minutes, and never without the verifier', async () => {
    const twice = await beginSignIn(running);
    const callback = await twice.choose({ login: 'alice' });
    await twice.redeem(callback);
    expect(await json(twice.redeem(callback))).to.deep.include({ error: 'bad_verification_code' });
    const late = await beginSignIn(running);
    const slow = await late.choose({ login: 'alice' });
    running.clock.advance(10 * 60_000);
    expect(await json(late.redeem(slow))).to.deep.include({ error: 'bad_verification_code' });
    const bare = await beginSignIn(running);
    const { GITHUB_CLIENT_ID: client_id = '', GITHUB_CLIENT_SECRET: client_secret = '' } = running.vendor.credentials;
    const code = (await bare.choose({ login: 'alice' })).searchParams.get('code') ?? '';
    const body = JSON.stringify({ client_id, client_secret, code });
    const headers = { accept: 'application/json', 'content-type': 'application/json' };
    const answer = fetch(`${running.url}/login/oauth/access_token`, { method: 'POST', headers, body });
    expect(await json(answer)).to.deep.include({ error: 'bad_verification_code' });
  });

  it('refuses an unknown app and a foreign redirect_uri on its own page', async () => {
    const faulty: Record<string, string>[] = [
      { client_id: 'nobody' },
      { redirect_uri: 'https://evil.example/cb' },
      { redirect_uri: 'javascript:1' },
    ];
    for (const changes of faulty) {
      const { url } = await beginSignIn(running, changes);
      const page = await fetch(url, { redirect: 'manual' });
      expect([page.status, page.headers.get('location')]).to.deep.equal([404, null]);
      expect(await page.text()).to.include('Nobody was signed in');
    }
    const register = {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"url":"https://spoq.example/auth"}',
    };
    expect((await fetch(`${running.url}/_sandbox/callbacks`, register)).status).to.equal(204);
    for (const [uri, status] of [
      ['https://spoq.example/auth/github', 200],
      ['https://spoq.example/author', 404],
      ['https://spoq.example.evil/auth', 404],
    ] as const) {
      expect((await fetch((await beginSignIn(running, { redirect_uri: uri })).url)).status, uri).to.equal(status);
    }
  });

  it('knows no PKCE method but S256', async () => {
    const faulty: Record<string, string>[] = [{ code_challenge_method: 'plain' }, { code_challenge: 'short' }];
    for (const changes of faulty) {
      const { url } = await beginSignIn(running, changes);
      const location = (await fetch(url, { redirect: 'manual' })).headers.get('location') ?? '';
      expect(new URL(location).searchParams.get('error')).to.equal('invalid_request');
    }
  });

  it('tells all email addresses to those who may know', async () => {
    const emails = await (await get('/user/emails', await signIn(running, 'dave'))).json();
    expect(emails).to.deep.equal([
      { email: 'dave.new@example.com', primary: false, verified: false, visibility: null },
      { email: 'dave@example.com', primary: true, verified: true, visibility: 'private' },
    ]);
    expect(await json(get('/user', await signIn(running, 'carol')))).to.deep.include({ login: 'carol', email: null });
    const unscoped = await get('/user/emails', await signIn(running, 'carol', ''));
    expect([unscoped.status, (await unscoped.json()) as unknown]).to.deep.equal([
      404,
      { message: 'Not Found', documentation_url: 'https://docs.github.com/rest', status: '404' },
    ]);
    expect(await json(get('/user', await signIn(running, 'carol', 'read:user')))).to.deep.include({
      user_view_type: 'private',
    });
    expect((await get('/user/keys', await signIn(running, 'carol', 'read:public_key'))).status).to.equal(200);
  });

  it('refuses people without a verified address', async () => {
    const attempt = await beginSignIn(running);
    expect(await json(attempt.redeem(await attempt.choose({ login: 'mallory' })))).to.deep.include({
      error: 'unverified_user_email',
    });
  });

  it('lets one be anybody, and the same one again, in any case', async () => {
    const first = await json(get('/user', await signIn(running, 'New-Person')));
    running = await running.restart();
    const second = await json(get('/user', await signIn(running, 'new-person')));
    expect([second['id'], second['login']]).to.deep.equal([first['id'], 'New-Person']);
    const bad = await beginSignIn(running);
    expect((await bad.choose({ other: '-no-' })).href).to.equal('status:422');
  });

  it('lets people change their login and take their tokens back', async () => {
    const token = await signIn(running, 'alice');
    const headers = { 'content-type': 'application/json' };
    const change = (body: string): Promise<Response> =>
      fetch(`${running.url}/_sandbox/people/alice`, { method: 'PATCH', headers, body });
    expect((await change('{"login":"-"}')).status).to.equal(400);
    expect((await change('{"login":"alice-l"}')).status).to.equal(200);
    expect(await json(get('/user', token))).to.deep.include({ id: 583_101, login: 'alice-l' });
    await fetch(`${running.url}/_sandbox/tokens`, { method: 'DELETE' });
    expect((await get('/user', token)).status).to.equal(401);
  });

  it('wants a token, a user agent and a known version', async () => {
    expect(await json(get('/user', 'gho_wrong'))).to.deep.equal({
      message: 'Bad credentials',
      documentation_url: 'https://docs.github.com/rest',
      status: '401',
    });
    expect(await json(fetch(`${running.url}/user`))).to.deep.include({ message: 'Requires authentication' });
    const token = await signIn(running, 'alice');
    expect((await get('/user', token, { 'x-github-api-version': '1999-01-01' })).status).to.equal(400);
    expect((await get('/user', token, { 'x-github-api-version': '2022-11-28' })).status).to.equal(200);
    // fetch always names itself; node:http sends no User-Agent.
    const status = await new Promise((resolve, reject) => {
      const call = request(`${running.url}/user`, { headers: { authorization: `Bearer ${token}` } }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      call.on('error', reject).end();
    });
    expect(status).to.equal(403);
  });

  it('keeps secrets out of what it shows', async () => {
    const token = await signIn(running, 'alice');
    const shown = JSON.stringify([running.vendor.inspect?.(), running.requests.list()]);
    expect(shown).not.to.include(token);
    expect(shown).not.to.include(running.vendor.credentials['GITHUB_CLIENT_SECRET']);
  });
});
