import { expect } from 'chai';
import { hasSpec, loadSpec } from '../conformance.ts';
import { runVendor, type RunningVendor } from '../run-vendor.ts';
import { beginSignIn, signIn } from './testing.ts';
import { createGithubVendor } from './vendor.ts';

describe('GitHub against its documents', function () {
  let running: RunningVendor | undefined;
  before(async function () {
    if (!hasSpec('github.json')) this.skip(); // the vendors' documents lie beside the repository only where it is built
    running = await runVendor('github', createGithubVendor);
  });
  after(() => running?.close());

  it('agrees with them in every call of a sign-in, by the library that makes it', async () => {
    if (running === undefined) return;
    const get = (path: string, token: string): Promise<Response> =>
      fetch((running?.url ?? '') + path, {
        headers: { authorization: `Bearer ${token}`, 'x-github-api-version': '2022-11-28' },
      });
    for (const login of ['alice', 'carol', 'dave', 'Grace-B-Hopper']) {
      for (const scope of ['user:email', 'user read:public_key']) {
        const token = await signIn(running, login, scope);
        for (const path of ['/user', '/user/emails']) expect((await get(path, token)).status).to.equal(200);
        if (scope !== 'user:email') expect((await get('/user/keys', token)).status).to.equal(200);
      }
    }
    await get('/user', 'gho_wrong');
    await get('/user/emails', await signIn(running, 'bob', 'read:user'));
    const attempt = await beginSignIn(running);
    const callback = await attempt.choose({ login: 'alice' });
    await attempt.redeem(callback, { secret: 'wrong' });
    await attempt.redeem(callback, { verifier: 'x'.repeat(43) });
    await fetch(attempt.url);

    const [web, api] = [loadSpec('github-oauth.json'), loadSpec('github.json')];
    const seen = new Set<string | undefined>();
    const faults = running.requests.list().flatMap((entry) => {
      const spec = entry.path.startsWith('/login/') ? web : api;
      // The page's own form: GitHub's is nobody's business.
      if (entry.method === 'POST' && entry.path.endsWith('/authorize')) return [];
      seen.add(spec.operationOf(entry));
      // The page itself: the document tells only of the redirect that follows it.
      if (entry.status === 200 && entry.path.endsWith('/authorize')) return [];
      return spec.check(entry).map((fault) => `${entry.method} ${entry.path} ${fault}`);
    });
    expect(faults).to.deep.equal([]);
    expect([...seen].toSorted()).to.deep.equal([
      'GET /login/oauth/authorize',
      'GET /user',
      'GET /user/emails',
      'GET /user/keys',
      'POST /login/oauth/access_token',
    ]);
  });
});
