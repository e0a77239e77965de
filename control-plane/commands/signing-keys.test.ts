import { expect } from 'chai';
import { calculateJwkThumbprint, decodeProtectedHeader, jwtVerify } from 'jose';
import { AccessTokenClaims, type Jwks } from '../../contract/auth.ts';
import { createTestDatabase, type TestDatabase } from '../../test/harness/database.ts';
import { unsealJwtSecret } from '../jwt-secret.ts';
import { createTestControlPlane, type TestControlPlane } from '../testing/control-plane.ts';
import { createGithubServer, type GithubServer } from '../testing/github-server.ts';
import { issueAccessToken } from './issue-access-token.ts';
import { listPublicKeys, loadSigningKey } from './signing-keys.ts';

const USER = { id: '7f6c0d1e-3f0c-4b8e-9a53-0f3c1d2e4b5a' };
const DEVICE = '0b9f3f53-2c3e-4d6c-9a0e-6f1f2b7f7c11';

describe('signing keys', () => {
  let database: TestDatabase;
  let github: GithubServer;
  let plane: TestControlPlane;

  before(async () => {
    database = await createTestDatabase();
    github = await createGithubServer();
  });
  beforeEach(async () => {
    plane = await createTestControlPlane(database, github);
    await database.db('signing_keys').delete();
  });
  afterEach(() => plane.close());
  after(async () => {
    await github.close();
    await database.close();
  });

  const fetchKeys = (headers: Record<string, string> = {}) => fetch(`${plane.url}/.well-known/jwks.json`, { headers });

  it('are made once, however many ask first at the same moment', async () => {
    const keys = await Promise.all(Array.from({ length: 8 }, () => loadSigningKey(plane.deps)));
    expect(new Set(keys.map((key) => key.kid)).size).to.equal(1);
    expect(await database.db('signing_keys').count()).to.deep.equal([{ count: '1' }]);
  });

  it('lie sealed in the database, under the name of their thumbprint', async () => {
    const { kid, jwk } = await loadSigningKey(plane.deps);
    const [row] = await database.db('signing_keys');
    expect(row.kid).to.equal(await calculateJwkThumbprint(jwk));
    expect(row.private_jwk_sealed).to.match(/^v2\./);
    expect(JSON.stringify(row)).to.not.include(jwk.d);
    expect(() => plane.deps.cipher.decrypt(row.private_jwk_sealed, 'signing_keys:other')).to.throw();
    expect(kid).to.match(/^[\w-]{43}$/);
  });

  it('are published without their private half, cacheable, 304 when known', async () => {
    const answer = await fetchKeys();
    const { kid } = await loadSigningKey(plane.deps);
    const { keys } = (await answer.json()) as Jwks;
    expect(answer.status).to.equal(200);
    expect(answer.headers.get('content-type')).to.equal('application/json; charset=utf-8');
    expect(answer.headers.get('cache-control')).to.equal('public, max-age=300');
    expect(answer.headers.get('set-cookie')).to.equal(null);
    const [key] = keys;
    expect(keys).to.deep.equal([{ kty: 'RSA', kid, alg: 'RS256', use: 'sig', e: 'AQAB', n: key?.['n'] }]);
    expect(Buffer.from(String(key?.['n']), 'base64url').length).to.equal(256);
    const again = await fetchKeys({ 'if-none-match': answer.headers.get('etag') ?? '' });
    expect({ status: again.status, body: await again.text() }).to.deep.equal({ status: 304, body: '' });
  });

  it('are followed after 90 days by one key, which is published for a quarter of an hour before it signs', async () => {
    const kids = async () => (await listPublicKeys(plane.deps)).keys.map((key) => key.kid);
    const signers = async () => {
      const keys = await Promise.all(Array.from({ length: 4 }, () => loadSigningKey(plane.deps)));
      return [...new Set(keys.map((key) => key.kid))];
    };
    const [old = ''] = await signers();
    plane.advance(90 * 86_400 + 1);
    expect(await signers()).to.deep.equal([old]);
    const [next = '', ...others] = (await kids()).filter((kid) => kid !== old);
    expect(others).to.deep.equal([]);
    plane.advance(15 * 60);
    expect(await signers()).to.deep.equal([next]);
    expect(await kids()).to.have.members([old, next]);
    plane.advance(600 + 301);
    expect(await kids()).to.deep.equal([next]);
    expect(await signers()).to.deep.equal([next]);
  });

  it('sign tokens with exactly the claims of the contract', async () => {
    const box = { id: USER.id, hostname: 'alice.spoq.localhost', jwt_secret: '' };
    const { token, expires_in: expiresIn } = await issueAccessToken(plane.deps, USER, box, DEVICE);
    const { kid, jwk } = await loadSigningKey(plane.deps);
    const { payload, protectedHeader } = await jwtVerify(
      token,
      { kty: 'RSA', n: jwk.n, e: jwk.e },
      {
        algorithms: ['RS256'],
      },
    );
    expect(protectedHeader).to.deep.equal({ alg: 'RS256', typ: 'at+jwt', kid });
    const now = Math.floor(Date.now() / 1000);
    const claims = AccessTokenClaims.strict().parse(payload);
    expect(claims.iat).to.be.within(now - 5, now);
    expect(claims).to.deep.equal({
      iss: plane.url,
      sub: USER.id,
      aud: 'alice.spoq.localhost',
      iat: claims.iat,
      nbf: claims.iat,
      exp: claims.iat + 600,
      jti: claims.jti,
      client_id: 'spoq-cli',
      sid: DEVICE,
      user_id: USER.id,
      vps_hostname: 'alice.spoq.localhost',
    });
    expect(expiresIn).to.equal(600);
  });

  it("stay out of HS256 mode, where the box's own secret signs and no other box's verifies", async () => {
    const hs256 = await createTestControlPlane(database, github, { JWT_ALGORITHM: 'HS256' });
    try {
      await database.db.raw('TRUNCATE users, user_vps CASCADE');
      await hs256.signIn();
      const [user] = await database.db('users').select('id');
      const box = await hs256.createBox(user.id);
      const { token } = await issueAccessToken(hs256.deps, user, box, DEVICE);
      expect(decodeProtectedHeader(token)).to.deep.equal({ alg: 'HS256', typ: 'at+jwt' });
      const secret = unsealJwtSecret(hs256.deps.cipher, box);
      expect(secret).to.match(/^[\w-]{43}$/);
      const { payload } = await jwtVerify(token, new TextEncoder().encode(secret), { algorithms: ['HS256'] });
      expect(payload.aud).to.equal(box.hostname);
      expect(() => unsealJwtSecret(hs256.deps.cipher, { ...box, id: USER.id })).to.throw();
      expect(await (await fetch(`${hs256.url}/.well-known/jwks.json`)).json()).to.deep.equal({ keys: [] });
    } finally {
      await hs256.close();
    }
  });
});
