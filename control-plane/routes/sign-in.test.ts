import { expect } from 'chai';
import { findUser } from '../db/users.ts';
import { Browser } from '../testing/browser.ts';
import { createTestControlPlane, type TestControlPlane } from '../testing/control-plane.ts';
import { createTestDatabase, type TestDatabase } from '../../test/harness/database.ts';
import { createGithubServer, type GithubServer } from '../testing/github-server.ts';
import { meetAtRows } from '../testing/meet-at-rows.ts';

const NOBODY = { accept: 'application/json' };

describe('sign-in with GitHub', () => {
  let database: TestDatabase;
  let github: GithubServer;
  let plane: TestControlPlane;

  before(async () => {
    database = await createTestDatabase();
  });
  beforeEach(async () => {
    github = await createGithubServer();
    plane = await createTestControlPlane(database, github);
    await database.db.raw('TRUNCATE users, sessions, rate_limits CASCADE');
  });
  afterEach(async () => {
    await plane.close();
    await github.close();
  });
  after(() => database.close());

  async function begin(returnTo?: string): Promise<{ browser: Browser; authorize: URL }> {
    const browser = new Browser(plane.url);
    const query = returnTo === undefined ? '' : `?return_to=${encodeURIComponent(returnTo)}`;
    const answer = await browser.get(`/auth/github${query}`);
    expect(answer.status).to.equal(302);
    return { browser, authorize: new URL(answer.location ?? '') };
  }

  async function readProblem(
    browser: Browser,
    path: string,
  ): Promise<{ status: number; code: string; detail: string }> {
    const answer = await browser.get(path, NOBODY);
    expect(answer.headers.get('content-type')).to.match(/^application\/problem\+json/);
    const { code, detail } = JSON.parse(answer.text) as { code: string; detail: string };
    return { status: answer.status, code, detail };
  }

  it('asks GitHub with PKCE S256, a state and the scope for the address alone', async () => {
    const { authorize } = await begin();
    const { state, code_challenge: challenge, ...rest } = Object.fromEntries(authorize.searchParams);
    expect(`${authorize.origin}${authorize.pathname}`).to.equal(`${github.url}/login/oauth/authorize`);
    expect(rest).to.deep.equal({
      client_id: 'Iv1.test',
      redirect_uri: `${plane.url}/auth/github/callback`,
      scope: 'user:email',
      code_challenge_method: 'S256',
    });
    expect(state).to.match(/^[\w-]{43}$/);
    expect(challenge).to.match(/^[\w-]{43}$/);
  });

  it('stores who it is by the numeric id, under a new session id, and goes on to the set-up', async () => {
    const { browser, authorize } = await begin();
    const before = browser.cookies.get('spoq_session');
    const answer = await browser.get(github.decide(authorize.href));
    expect({ status: answer.status, location: answer.location }).to.deep.equal({ status: 302, location: '/setup' });
    expect(answer.headers.getSetCookie().at(-1)).to.match(
      /^spoq_session=[\w-]{43}; path=\/; expires=.*; samesite=lax; httponly$/,
    );
    expect(browser.cookies.get('spoq_session')).to.not.equal(before);
    const users = await database.db('users').select('github_id', 'username', 'email', 'avatar_url');
    expect(users).to.deep.equal([
      {
        github_id: '583231',
        username: 'octocat',
        email: 'octocat@example.com',
        avatar_url: 'https://avatars.example/u/583231',
      },
    ]);
    const sessions = await database.db('sessions').select('user_id', 'data');
    const [user] = await database.db('users').select('id');
    expect(sessions).to.deep.equal([{ user_id: user.id, data: {} }]);
    expect(github.requests.map((request) => request.path)).to.deep.equal([
      '/login/oauth/access_token',
      '/user',
      '/user/emails',
    ]);
    const planted = new Browser(plane.url);
    planted.cookies.set('spoq_session', before ?? '');
    expect((await planted.get('/auth/verify')).location).to.match(/^\/auth\/github/);
  });

  it('keeps the person when the login changes, and takes a public address as it is', async () => {
    await plane.signIn();
    Object.assign(github.script.person, { login: 'mona', email: 'public@example.com' });
    github.requests.length = 0;
    await plane.signIn();
    const users = await database.db('users').select('github_id', 'username', 'email');
    expect(users).to.deep.equal([{ github_id: '583231', username: 'mona', email: 'public@example.com' }]);
    expect(github.requests.map((request) => request.path)).to.not.include('/user/emails');
  });

  it('has no address when none is both primary and verified', async () => {
    github.script.emails = [{ email: 'a@example.com', primary: true, verified: false }];
    await plane.signIn();
    expect(await database.db('users').select('email')).to.deep.equal([{ email: null }]);
  });

  it('returns to a path of ours', async () => {
    const { browser, authorize } = await begin('/auth/verify?code=BLUE-FISH-TREE');
    const answer = await browser.get(github.decide(authorize.href));
    expect(answer.location).to.equal('/auth/verify?code=BLUE-FISH-TREE');
  });

  for (const path of [
    '//evil.example',
    '/\\evil.example',
    'https://evil.example',
    'https:evil.example',
    '/\t//evil.example',
    '\t//evil.example',
    '/%0a\n/evil.example',
    'javascript:alert(1)',
    'setup',
    '/ setup',
    `/${'a'.repeat(2000)}`,
  ])
    it(`refuses to return to ${JSON.stringify(path).slice(0, 40)}`, async () => {
      const problem = await readProblem(new Browser(plane.url), `/auth/github?return_to=${encodeURIComponent(path)}`);
      expect(problem).to.include({ status: 400, code: 'invalid_request' });
    });

  it('refuses return_to twice', async () => {
    const problem = await readProblem(new Browser(plane.url), '/auth/github?return_to=/a&return_to=//evil.example');
    expect(problem).to.include({ status: 400, code: 'invalid_request' });
  });

  it('refuses a state that is missing, wrong, of another browser or used before', async () => {
    const { browser, authorize } = await begin();
    const back = new URL(github.decide(authorize.href));
    const other = await begin();
    const wrong = new URL(back);
    wrong.searchParams.set('state', 'x'.repeat(43));
    const missing = new URL(back);
    missing.searchParams.delete('state');
    const twice = `${back.pathname}${back.search}&state=${back.searchParams.get('state')}`;
    for (const [who, url] of [
      [browser, wrong.href],
      [browser, missing.href],
      [browser, twice],
      [other.browser, back.href],
      [new Browser(plane.url), back.href],
    ] as const)
      expect(await readProblem(who, url)).to.include({ status: 400, code: 'sign_in_failed' });
    expect(github.requests).to.deep.equal([]);
    expect((await browser.get(back.href)).status).to.equal(302);
    expect(await readProblem(browser, back.href)).to.include({ status: 400, code: 'sign_in_failed' });
    expect(await database.db('users').count()).to.deep.equal([{ count: '1' }]);
  });

  it('refuses an answer that names another server (iss), and asks ours nothing', async () => {
    const { browser, authorize } = await begin();
    const back = new URL(github.decide(authorize.href));
    back.searchParams.set('iss', 'https://evil.example');
    expect(await readProblem(browser, back.href)).to.include({ status: 400, code: 'sign_in_failed' });
    expect(github.requests).to.deep.equal([]);
  });

  it('lets only one of two callbacks at once through', async () => {
    const { browser, authorize } = await begin();
    const back = github.decide(authorize.href);
    const answers = await meetAtRows(database.db, 'sessions', 2, () =>
      Promise.all([browser.get(back), browser.get(back)]),
    );
    expect(answers.map((answer) => answer.status).toSorted()).to.deep.equal([302, 400]);
    expect(github.requests.filter((request) => request.path === '/login/oauth/access_token').length).to.equal(1);
  });

  it('refuses a sign-in that took longer than fifteen minutes', async () => {
    const { browser, authorize } = await begin();
    plane.advance(15 * 60 + 1);
    expect(await readProblem(browser, github.decide(authorize.href))).to.include({
      status: 400,
      code: 'sign_in_failed',
    });
  });

  it('takes any of several tabs, and forgets what the others began once one has signed in', async () => {
    const { browser, authorize } = await begin('/first');
    const second = await browser.get('/auth/github?return_to=/second');
    expect((await browser.get(github.decide(authorize.href))).location).to.equal('/first');
    // Else a planted session's sign-in could follow the person into the session that is theirs alone.
    expect((await browser.get(github.decide(second.location ?? ''))).status).to.equal(400);
    expect((await browser.get('/auth/verify')).status).to.equal(200);
  });

  it('says that it was denied, with a way back to where the person wanted to go', async () => {
    const { browser, authorize } = await begin('/setup/region');
    const page = await browser.get(github.decide(authorize.href, 'deny'));
    expect(page.status).to.equal(403);
    expect(page.text).to.include('You did not allow Spoq');
    expect(page.text).to.include('href="/auth/github?return_to=%2Fsetup%2Fregion"');
    expect(await database.db('users').count()).to.deep.equal([{ count: '0' }]);
  });

  const refusal = (error: string) => JSON.stringify({ error, error_description: 'no', error_uri: 'https://x.example' });
  const table: [string, string, GithubServer['script']['faults'][string], number, string][] = [
    [
      'a used code (200)',
      '/login/oauth/access_token',
      { status: 200, body: refusal('bad_verification_code') },
      400,
      'sign_in_failed',
    ],
    [
      'an unverified address (200)',
      '/login/oauth/access_token',
      { status: 200, body: refusal('unverified_user_email') },
      400,
      'sign_in_failed',
    ],
    [
      'our secret being wrong (200)',
      '/login/oauth/access_token',
      { status: 200, body: refusal('incorrect_client_credentials') },
      502,
      'upstream_refused',
    ],
    [
      'a 500 for the token',
      '/login/oauth/access_token',
      { status: 500, body: 'oops', type: 'text/html' },
      502,
      'upstream_failed',
    ],
    [
      'a token answer that is no JSON',
      '/login/oauth/access_token',
      { status: 200, body: '<html>', type: 'text/html' },
      502,
      'upstream_failed',
    ],
    [
      'a token answer without a token',
      '/login/oauth/access_token',
      { status: 200, body: '{}' },
      502,
      'upstream_failed',
    ],
    ['a cut connection', '/login/oauth/access_token', 'cut', 502, 'upstream_failed'],
    [
      'a token that is not taken',
      '/user',
      { status: 401, body: '{"message":"Bad credentials"}' },
      502,
      'upstream_failed',
    ],
    ['a person without an id', '/user', { status: 200, body: '{"login":"octocat"}' }, 502, 'upstream_failed'],
    ['a redirect of the API', '/user', { status: 302, body: '' }, 502, 'upstream_failed'],
    ['a 503 for the addresses', '/user/emails', { status: 503, body: '' }, 502, 'upstream_failed'],
  ];
  for (const [name, path, fault, status, code] of table)
    it(`answers ${status} ${code} to ${name}`, async () => {
      const { browser, authorize } = await begin();
      github.script.faults[path] = fault;
      const back = github.decide(authorize.href);
      expect(await readProblem(browser, back)).to.include({ status, code });
      expect(await database.db('users').count()).to.deep.equal([{ count: '0' }]);
      const secrets = [new URL(back).searchParams.get('code') ?? '', 'gho_test', 'github-client-secret'];
      for (const secret of secrets) expect(plane.logs.join('\n')).to.not.include(secret);
    });

  it('proves with the verifier that it began the sign-in: a code from another sign-in is refused by GitHub', async () => {
    const { browser, authorize } = await begin();
    const other = await begin();
    const stolen = new URL(github.decide(other.authorize.href)).searchParams.get('code') ?? '';
    const back = new URL(github.decide(authorize.href));
    back.searchParams.set('code', stolen);
    expect(await readProblem(browser, back.href)).to.include({ status: 400, code: 'sign_in_failed' });
  });

  it('signs out on a form of ours alone, and forgets the session', async () => {
    const browser = await plane.signIn();
    const crossSite: Record<string, string>[] = [
      { 'sec-fetch-site': 'same-site', origin: 'http://alice.spoq.localhost' },
      { 'sec-fetch-site': 'same-site' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'none' },
      { 'sec-fetch-site': '', origin: '' },
      { 'sec-fetch-site': '', origin: 'null' },
    ];
    for (const headers of crossSite)
      expect((await browser.post('/auth/sign-out', {}, headers)).status, JSON.stringify(headers)).to.equal(403);
    const answer = await browser.post('/auth/sign-out', {});
    expect({
      status: answer.status,
      location: answer.location,
      cookies: browser.cookies.has('spoq_session'),
    }).to.deep.equal({
      status: 303,
      location: '/',
      cookies: false,
    });
    expect(await database.db('sessions').count()).to.deep.equal([{ count: '0' }]);
    const actions = await database.db('audit_log').orderBy('id', 'desc').limit(2).pluck('action');
    expect(actions).to.deep.equal(['user.signed_out', 'user.signed_in']);
  });

  it('does not hand what one person left in the browser to the next', async () => {
    const browser = await plane.signIn();
    await database.db('sessions').update({ data: JSON.stringify({ region: 'SIN' }) });
    Object.assign(github.script.person, { id: 2, login: 'hubot' });
    const begun = await browser.get('/auth/github');
    await browser.get(github.decide(begun.location ?? ''));
    const [session] = await database.db('sessions').select('user_id', 'data');
    const user = await findUser(database.db, session.user_id);
    expect([user?.username, session.data]).to.deep.equal(['hubot', {}]);
  });

  it('limits how often an address may try', async () => {
    const browser = new Browser(plane.url);
    await database.db('rate_limits').insert({ key: 'sign-in:127.0.0.1', points: 119, expire: Date.now() + 60_000 });
    expect((await browser.get('/auth/github/callback')).status).to.equal(400);
    const limited = await browser.get('/auth/github/callback');
    expect(limited.status).to.equal(429);
    expect(Number(limited.headers.get('retry-after'))).to.be.within(1, 60);
  });

  it('has a __Host- cookie that only travels over https where the site is on https', async () => {
    const secure = await createTestControlPlane(database, github, { BASE_URL: 'https://spoq.example' });
    try {
      const browser = new Browser(secure.url);
      const answer = await browser.get('/auth/github');
      expect(answer.headers.get('set-cookie')).to.match(
        /^__Host-spoq_session=[\w-]{43}; path=\/; expires=.*; samesite=lax; secure; httponly$/,
      );
      expect(answer.headers.get('strict-transport-security')).to.equal('max-age=63072000');
    } finally {
      await secure.close();
    }
  });
});
