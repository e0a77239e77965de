import { expect } from 'chai';
import * as oauth from 'oauth4webapi';
import { createTestDatabase, type TestDatabase } from '../../test/harness/database.ts';
import type { Browser } from '../testing/browser.ts';
import { createTestControlPlane, type TestControlPlane } from '../testing/control-plane.ts';
import { createGithubServer, type GithubServer } from '../testing/github-server.ts';

const CLIENT: oauth.Client = { client_id: 'spoq-cli' };
const PUBLIC = oauth.None();
/** On this computer there is no https. */
const HTTP = { [oauth.allowInsecureRequests]: true };
const REDIRECT = 'http://127.0.0.1:4567/callback';

describe('an OAuth client that knows only our address', () => {
  let database: TestDatabase;
  let github: GithubServer;
  let plane: TestControlPlane;
  let browser: Browser;
  let server: oauth.AuthorizationServer;

  before(async () => {
    database = await createTestDatabase();
    github = await createGithubServer();
    plane = await createTestControlPlane(database, github);
    browser = await plane.signIn();
    await plane.createBox((await database.db('users').first('id')).id);
    const issuer = new URL(plane.url);
    server = await oauth.processDiscoveryResponse(
      issuer,
      await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...HTTP }),
    );
  });
  after(async () => {
    await plane.close();
    await github.close();
    await database.close();
  });

  /** That the token is one of ours, as a resource server would look (RFC 9068). */
  async function checkAccessToken(token: string): Promise<oauth.JWTAccessTokenClaims> {
    const { hostname } = await database.db('user_vps').first('hostname');
    const request = new Request(`https://${hostname}/`, { headers: { authorization: `Bearer ${token}` } });
    return oauth.validateJwtAccessToken({ ...server, issuer: plane.url }, request, hostname, HTTP);
  }
  const refresh = async (token: string) =>
    oauth.processRefreshTokenResponse(
      server,
      CLIENT,
      await oauth.refreshTokenGrantRequest(server, CLIENT, PUBLIC, token, HTTP),
    );
  const refusal = (work: Promise<unknown>) =>
    work.then(
      () => undefined,
      (error: unknown) => (error instanceof oauth.ResponseBodyError ? [error.status, error.error] : error),
    );

  it('finds everything, under the name that tokens are issued in', () => {
    expect(server).to.deep.equal({
      issuer: plane.url,
      authorization_endpoint: `${plane.url}/auth/cli`,
      token_endpoint: `${plane.url}/auth/token`,
      device_authorization_endpoint: `${plane.url}/auth/device`,
      revocation_endpoint: `${plane.url}/auth/revoke`,
      jwks_uri: `${plane.url}/.well-known/jwks.json`,
      response_types_supported: ['code'],
      response_modes_supported: ['query'],
      grant_types_supported: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
      code_challenge_methods_supported: ['S256'],
      token_endpoint_auth_methods_supported: ['none'],
      revocation_endpoint_auth_methods_supported: ['none'],
      authorization_response_iss_parameter_supported: true,
    });
  });

  it('signs in by a device grant, renews its tokens and revokes them', async () => {
    const grant = await oauth.processDeviceAuthorizationResponse(
      server,
      CLIENT,
      await oauth.deviceAuthorizationRequest(server, CLIENT, PUBLIC, { hostname: 'stock' }, HTTP),
    );
    const poll = async () =>
      oauth.processDeviceCodeResponse(
        server,
        CLIENT,
        await oauth.deviceCodeGrantRequest(server, CLIENT, PUBLIC, grant.device_code, HTTP),
      );
    expect(await refusal(poll())).to.deep.equal([400, 'authorization_pending']);
    expect(await refusal(poll())).to.deep.equal([400, 'slow_down']);
    await browser.post('/auth/authorize', { code: grant.user_code, decision: 'approve' });
    const first = await poll();
    expect(await checkAccessToken(first.access_token)).to.include({ iss: plane.url });
    expect(await refusal(poll())).to.deep.equal([400, 'invalid_grant']);
    const second = await refresh(first.refresh_token ?? '');
    expect(await checkAccessToken(second.access_token)).to.have.property('sid');
    const revoked = await oauth.revocationRequest(server, CLIENT, PUBLIC, second.refresh_token ?? '', HTTP);
    expect(await oauth.processRevocationResponse(revoked)).to.equal(undefined);
    expect(await refusal(refresh(second.refresh_token ?? ''))).to.deep.equal([400, 'invalid_grant']);
  });

  it('signs in by a code with PKCE', async () => {
    const verifier = oauth.generateRandomCodeVerifier();
    const state = oauth.generateRandomState();
    const address = new URL(server.authorization_endpoint ?? '');
    address.search = new URLSearchParams({
      response_type: 'code',
      client_id: CLIENT.client_id,
      redirect_uri: REDIRECT,
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state,
    }).toString();
    const page = await browser.get(`${address.pathname}${address.search}`);
    const fields = [...page.text.matchAll(/type="hidden" name="([^"]+)" value="([^"]*)"/g)];
    const form = Object.fromEntries(fields.map(([, name = '', value = '']) => [name, value]));
    const { location } = await browser.post('/auth/cli', { ...form, decision: 'approve' });
    const answer = oauth.validateAuthResponse(server, CLIENT, new URL(location ?? ''), state);
    const exchange = async () =>
      oauth.processAuthorizationCodeResponse(
        server,
        CLIENT,
        await oauth.authorizationCodeGrantRequest(server, CLIENT, PUBLIC, answer, REDIRECT, verifier, HTTP),
      );
    const tokens = await exchange();
    await checkAccessToken(tokens.access_token);
    expect(await refusal(exchange())).to.deep.equal([400, 'invalid_grant']);
    expect(await refusal(refresh(tokens.refresh_token ?? ''))).to.deep.equal([400, 'invalid_grant']);
  });
});
