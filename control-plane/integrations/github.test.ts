import { expect } from 'chai';
import { SpoqError } from '../../contract/errors.ts';
import { Secret } from '../config.ts';
import { createGithubServer, GITHUB_CLIENT, type GithubServer } from '../testing/github-server.ts';
import { createGithub } from './github.ts';

describe('GitHub over HTTP', () => {
  let server: GithubServer;
  before(async () => {
    server = await createGithubServer();
  });
  after(() => server.close());

  for (const path of ['/login/oauth/access_token', '/user', '/user/emails'])
    it(`gives up on ${path} after the time-out`, async () => {
      const config = {
        GITHUB_URL: server.url,
        GITHUB_API_URL: server.url,
        GITHUB_CLIENT_ID: GITHUB_CLIENT.id,
        GITHUB_CLIENT_SECRET: new Secret(GITHUB_CLIENT.secret),
        GITHUB_REDIRECT_URI: 'http://spoq.localhost/auth/github/callback',
      };
      const github = createGithub(config, 1_000);
      const { url, attempt } = await github.begin();
      const back = new URL(server.decide(url)).searchParams;
      server.script.faults = { [path]: 'hang' };
      const failure = await github.finish(back, attempt).catch((error: unknown) => error);
      expect(failure).to.be.instanceOf(SpoqError).with.property('code', 'upstream_failed');
      server.script.faults = {};
      const again = await github.begin();
      expect(await github.finish(new URL(server.decide(again.url)).searchParams, again.attempt)).to.deep.equal({
        github_id: '583231',
        username: 'octocat',
        email: 'octocat@example.com',
        avatar_url: 'https://avatars.example/u/583231',
      });
    });
});
