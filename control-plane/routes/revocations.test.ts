import { expect } from 'chai';
import { randomUUID } from 'node:crypto';
import { createLocalJWKSet, decodeJwt, jwtVerify } from 'jose';
import { send } from '../../conductor/testing/client.ts';
import { startConductor } from '../../conductor/testing/start-conductor.ts';
import { RevocationClaims, type Jwks } from '../../contract/auth.ts';
import { createTestDatabase, type TestDatabase } from '../../test/harness/database.ts';
import { waitFor } from '../../test/harness/wait.ts';
import { revokeAllDevices, revokeDevice } from '../commands/devices.ts';
import { unsealJwtSecret } from '../jwt-secret.ts';
import type { Browser } from '../testing/browser.ts';
import { createTestControlPlane, type TestControlPlane } from '../testing/control-plane.ts';
import { Device } from '../testing/device.ts';
import { createGithubServer, type GithubServer } from '../testing/github-server.ts';

describe('the list of revocations', () => {
  let database: TestDatabase;
  let github: GithubServer;
  let plane: TestControlPlane;
  let device: Device;
  let browser: Browser;
  let user: { id: string };
  let box: { id: string; hostname: string; jwt_secret: string };

  before(async () => {
    database = await createTestDatabase();
    github = await createGithubServer();
  });
  const begin = async (env: Record<string, string> = {}) => {
    plane = await createTestControlPlane(database, github, env);
    await database.db.raw('TRUNCATE users, user_vps, sessions, device_grants, rate_limits, signing_keys CASCADE');
    device = new Device(plane.url);
    browser = await plane.signIn();
    user = await database.db('users').first('id');
    box = await plane.createBox(user.id);
  };
  beforeEach(() => begin());
  afterEach(() => plane.close());
  after(async () => {
    await github.close();
    await database.close();
  });

  const fetchList = (hostname = box.hostname) => fetch(`${plane.url}/.well-known/revocations/${hostname}.jwt`);
  const fetchKeys = async () => (await (await fetch(`${plane.url}/.well-known/jwks.json`)).json()) as Jwks;
  async function readList(): Promise<RevocationClaims> {
    const { payload } = await jwtVerify(await (await fetchList()).text(), createLocalJWKSet(await fetchKeys()), {
      issuer: plane.url,
      audience: box.hostname,
      typ: 'revocations+jwt',
      algorithms: ['RS256'],
      currentDate: plane.deps.now(),
    });
    return RevocationClaims.strict().parse(payload);
  }
  const familyOf = (token: string) => String(decodeJwt(token)['sid']);
  const now = () => Math.floor(plane.deps.now().getTime() / 1000);

  it('is signed, for one box, good for two minutes, and kept by nobody', async () => {
    const answer = await fetchList();
    expect({
      status: answer.status,
      type: answer.headers.get('content-type'),
      cache: answer.headers.get('cache-control'),
      cookie: answer.headers.get('set-cookie'),
    }).to.deep.equal({ status: 200, type: 'application/revocations+jwt', cache: 'no-store', cookie: null });
    const list = await readList();
    expect(list.iat).to.be.within(now() - 5, now());
    expect(list).to.deep.equal({
      iss: plane.url,
      aud: box.hostname,
      iat: list.iat,
      exp: list.iat + 120,
      revoked: [],
    });
  });

  it('names a device for as long as an access token of it may live, however it was signed out', async () => {
    const [own, other, reused] = [
      await device.signIn(browser, 'laptop'),
      await device.signIn(browser, 'phone'),
      await device.signIn(browser, 'stolen'),
    ];
    await device.refresh(reused.refresh_token);
    plane.advance(31);
    await device.refresh(reused.refresh_token);
    await device.post('/auth/revoke', { token: own.refresh_token });
    await revokeDevice(plane.deps, user, familyOf(other.access_token), '127.0.0.1');
    const families = [other, own, reused].map((tokens) => familyOf(tokens.access_token));
    expect((await readList()).revoked).to.deep.equal(families);
    plane.advance(899);
    expect((await readList()).revoked).to.deep.equal(families);
    plane.advance(5);
    expect((await readList()).revoked).to.deep.equal([]);
  });

  it('refuses everything from before a sign-out of all devices, for as long', async () => {
    const tokens = await device.signIn(browser);
    await revokeAllDevices(plane.deps, user, '127.0.0.1');
    const { not_before: notBefore = 0, revoked } = await readList();
    expect(decodeJwt(tokens.access_token).iat).to.be.below(notBefore);
    expect(notBefore).to.be.within(now() - 5, now() + 1);
    expect(revoked).to.deep.equal([familyOf(tokens.access_token)]);
    plane.advance(905);
    expect(await readList()).to.not.have.property('not_before');
  });

  it('stays small: above 500 devices all have to renew their tokens', async () => {
    const revokedAt = new Date(plane.deps.now().getTime() - 100_000);
    const rows = Array.from({ length: 501 }, () => ({
      user_id: user.id,
      family_id: randomUUID(),
      token_hash: randomUUID(),
      expires_at: new Date('2100-01-01'),
      revoked_at: revokedAt,
    }));
    await database.db('refresh_tokens').insert(rows);
    const { revoked, not_before: notBefore } = await readList();
    expect({ revoked, notBefore }).to.deep.equal({ revoked: [], notBefore: Math.ceil(revokedAt.getTime() / 1000) });
  });

  it('is for boxes that live, and is about their owner alone', async () => {
    const tokens = await device.signIn(browser);
    await device.post('/auth/revoke', { token: tokens.refresh_token });
    github.script.person = { ...github.script.person, id: 99, login: 'stranger' };
    await plane.signIn();
    const stranger = await database.db('users').where('username', 'stranger').first('id');
    const others = await plane.createBox(stranger.id);
    expect(decodeJwt(await (await fetchList(others.hostname)).text())['revoked']).to.deep.equal([]);
    await database.db('user_vps').where('id', others.id).update({ status: 'terminated' });
    for (const name of [others.hostname, 'nobody.spoq.localhost', '%00', '..%2Fjwks'])
      expect((await fetchList(name)).status).to.equal(404);
  });

  it("is signed with the box's own secret in HS256 mode", async () => {
    await plane.close();
    await begin({ JWT_ALGORITHM: 'HS256' });
    const secret = new TextEncoder().encode(unsealJwtSecret(plane.deps.cipher, box));
    const { payload } = await jwtVerify(await (await fetchList()).text(), secret, { typ: 'revocations+jwt' });
    expect(RevocationClaims.parse(payload).aud).to.equal(box.hostname);
  });

  it('reaches a box, which refuses the device from then on and serves the others', async () => {
    const [stolen, kept] = [await device.signIn(browser, 'stolen'), await device.signIn(browser, 'kept')];
    const identity = { issuer: plane.url, hostname: box.hostname, ownerId: user.id };
    const jwksUrl = `${plane.url}/.well-known/jwks.json`;
    // Looks every half minute in earnest; conductor/revocations.test.ts holds that this is within a minute.
    const intervals = { refreshMs: 50, retryMs: 50 };
    const conductor = await startConductor({ plane: { jwksUrl }, identity, intervals });
    const ask = async (token: string) => {
      const headers = { authorization: `Bearer ${token}` };
      return (await send(conductor.remote, { path: '/api/status', headers })).status;
    };
    try {
      expect([await ask(stolen.access_token), await ask(kept.access_token)]).to.deep.equal([200, 200]);
      await revokeDevice(plane.deps, user, familyOf(stolen.access_token), '127.0.0.1');
      await waitFor('the box to refuse it', async () => (await ask(stolen.access_token)) === 403);
      expect(await ask(kept.access_token)).to.equal(200);
      await revokeAllDevices(plane.deps, user, '127.0.0.1');
      await waitFor('the box to refuse all', async () => (await ask(kept.access_token)) === 403);
    } finally {
      await conductor.close();
    }
  });
});
