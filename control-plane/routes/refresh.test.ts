import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { getCredentials } from '../../cli/auth/session.ts';
import { createTestDeps } from '../../cli/testing/create-test-deps.ts';
import { createCredentials, writeCredentials } from '../../cli/testing/sign-in.ts';
import { createTemporaryFolder } from '../../cli/testing/temporary-folder.ts';
import { serve } from '../../conductor/testing/serve.ts';
import { createTestDatabase, type TestDatabase } from '../../test/harness/database.ts';
import { TokenResponse } from '../../contract/auth.ts';
import { createTestControlPlane, type TestControlPlane } from '../testing/control-plane.ts';
import { Device } from '../testing/device.ts';
import { createGithubServer, type GithubServer } from '../testing/github-server.ts';

const FORM = 'application/x-www-form-urlencoded';

describe('refresh and revocation', () => {
  let database: TestDatabase;
  let github: GithubServer;
  let plane: TestControlPlane;
  let device: Device;
  /** The refresh token of a device that has just signed in. */
  let first: string;

  before(async () => {
    database = await createTestDatabase();
    github = await createGithubServer();
  });
  beforeEach(async () => {
    plane = await createTestControlPlane(database, github);
    await database.db.raw('TRUNCATE users, user_vps, sessions, device_grants, rate_limits, signing_keys CASCADE');
    device = new Device(plane.url);
    const browser = await plane.signIn();
    const [user] = await database.db('users').select('id');
    await plane.createBox(user.id);
    const begun = await device.begin('alice-laptop');
    await browser.post('/auth/authorize', { code: begun.user_code, decision: 'approve' });
    first = (await device.poll(begun.device_code)).body.refresh_token;
  });
  afterEach(() => plane.close());
  after(async () => {
    await github.close();
    await database.close();
  });

  const refresh = async (token: string) => {
    const { status, body } = await device.refresh(token);
    return status === 200 ? TokenResponse.strict().parse(body).refresh_token : `${status} ${body.error}`;
  };
  const revoke = (form: Record<string, string>) => device.post('/auth/revoke', form);
  const actions = () => database.db('audit_log').orderBy('id', 'desc').limit(1).select('action', 'detail');

  it('replaces the token each time, in one family, and keeps only hashes', async () => {
    const second = await refresh(first);
    const third = await refresh(second);
    expect(new Set([first, second, third]).size).to.equal(3);
    for (const token of [second, third]) expect(token).to.match(/^spoq_[\w-]{43}$/);
    const rows = await database.db('refresh_tokens').select('family_id', 'device_label');
    expect(new Set(rows.map((row) => row.family_id)).size).to.equal(1);
    expect(rows.map((row) => row.device_label)).to.deep.equal(['alice-laptop', 'alice-laptop', 'alice-laptop']);
    const dump = JSON.stringify(await database.db('refresh_tokens')) + plane.logs.join('\n');
    for (const token of [first, second, third]) expect(dump).to.not.include(token.slice(5));
  });

  it('answers with a fresh access token, not to be cached, also to JSON without grant_type', async () => {
    const { status, headers, body } = await device.send<TokenResponse>('/auth/refresh', {
      body: JSON.stringify({ refresh_token: first }),
      headers: { 'content-type': 'application/json' },
    });
    expect({ status, cache: headers.get('cache-control'), pragma: headers.get('pragma') }).to.deep.equal({
      status: 200,
      cache: 'no-store',
      pragma: 'no-cache',
    });
    expect({ ...body, access_token: '', refresh_token: '', user_id: '', vps_hostname: '' }).to.deep.equal({
      access_token: '',
      token_type: 'Bearer',
      expires_in: 600,
      refresh_token: '',
      user_id: '',
      username: 'octocat',
      vps_hostname: '',
      vps_status: 'ready',
    });
  });

  it('answers the same successor to all who ask within thirty seconds: a lost answer costs nothing', async () => {
    const parallel = await Promise.all(Array.from({ length: 10 }, () => refresh(first)));
    plane.advance(29);
    const late = await refresh(first);
    expect(new Set([...parallel, late]).size).to.equal(1);
    expect(await database.db('refresh_tokens').count()).to.deep.equal([{ count: '2' }]);
    expect(await refresh(late)).to.match(/^spoq_/);
  });

  it('gives one successor on two replicas', async () => {
    const key = plane.deps.config.ENCRYPTION_KEY.reveal();
    const other = await createTestControlPlane(database, github, { ENCRYPTION_KEY: key });
    try {
      const replicas = [device, new Device(other.url)];
      const answers = await Promise.all(
        Array.from({ length: 10 }, async (_, index) => (await replicas[index % 2]?.refresh(first))?.body.refresh_token),
      );
      expect(new Set(answers).size).to.equal(1);
      expect(answers[0]).to.match(/^spoq_/);
      expect(await database.db('refresh_tokens').count()).to.deep.equal([{ count: '2' }]);
    } finally {
      await other.close();
    }
  });

  it('keeps a program signed in whose answer was lost on the way, and ends both when somebody else has the old token', async () => {
    let isCut = true;
    const proxy = await serve(async (req, res) => {
      const body = await text(req);
      const answer = await fetch(`${plane.url}${req.url}`, { method: 'POST', headers: { 'content-type': FORM }, body });
      if (isCut) req.socket.destroy();
      else res.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text());
      isCut = false;
    });
    await using home = await createTemporaryFolder();
    try {
      const path = join(home.path, 'credentials');
      const old = { refresh_token: first, access_token: 'old', expires_at: '2020-01-01T00:00:00Z' };
      await writeCredentials(path, createCredentials(old));
      const cli = createTestDeps({ env: { SPOQ_HOME: home.path, SPOQ_URL: proxy.url } });
      const { refresh_token: second } = await getCredentials(cli);
      expect(cli.waits.length, 'it asked twice').to.equal(1);
      expect(await database.db('refresh_tokens').count()).to.deep.equal([{ count: '2' }]);
      plane.advance(31);
      expect(await refresh(first)).to.equal('400 invalid_grant');
      expect(await refresh(second)).to.equal('400 invalid_grant');
    } finally {
      await proxy.close();
    }
  });

  it('ends the whole family when an old token comes back after that', async () => {
    const second = await refresh(first);
    const third = await refresh(second);
    plane.advance(31);
    expect(await refresh(first)).to.equal('400 invalid_grant');
    for (const token of [third, second, first]) expect(await refresh(token)).to.equal('400 invalid_grant');
    const [last] = await actions();
    expect({ action: last?.action, device: last?.detail.device }).to.deep.equal({
      action: 'refresh_token.reused',
      device: 'alice-laptop',
    });
    expect(await database.db('refresh_tokens').whereNull('revoked_at').count()).to.deep.equal([{ count: '0' }]);
    expect(await database.db('refresh_tokens').whereNotNull('successor_sealed').count()).to.deep.equal([
      { count: '0' },
    ]);
  });

  it('leaves no living token when reuse and rotation happen at once', async () => {
    const second = await refresh(first);
    plane.advance(31);
    await Promise.all(Array.from({ length: 8 }, (_, index) => refresh(index % 2 === 0 ? second : first)));
    expect(await database.db('refresh_tokens').whereNull('revoked_at').count()).to.deep.equal([{ count: '0' }]);
  });

  it('leaves other devices alone', async () => {
    const browser = await plane.signIn();
    const begun = await device.begin('phone');
    await browser.post('/auth/authorize', { code: begun.user_code, decision: 'approve' });
    const other = (await device.poll(begun.device_code)).body.refresh_token;
    await refresh(first);
    plane.advance(31);
    await refresh(first);
    expect(await refresh(other)).to.match(/^spoq_/);
  });

  it('forgets the sealed successor once nobody may ask for it', async () => {
    const second = await refresh(first);
    plane.advance(31);
    const third = await refresh(second);
    plane.advance(31);
    await refresh(third);
    const sealed = await database.db('refresh_tokens').whereNotNull('successor_sealed').count();
    expect(sealed).to.deep.equal([{ count: '1' }]);
  });

  it('refuses a token after thirty days, each use giving thirty more', async () => {
    plane.advance(29 * 86_400);
    const second = await refresh(first);
    plane.advance(29 * 86_400);
    const third = await refresh(second);
    plane.advance(30 * 86_400);
    expect(await refresh(third)).to.equal('400 invalid_grant');
  });

  it('is good again when a clock is right again that was ten minutes or forty days off', async () => {
    let token = first;
    for (const off of [600, -600]) {
      plane.advance(off);
      token = await refresh(token);
      expect(token, `${off} s`).to.match(/^spoq_/);
      plane.advance(-off);
    }
    plane.advance(40 * 86_400);
    expect(await refresh(token)).to.equal('400 invalid_grant');
    plane.advance(-40 * 86_400);
    expect(await refresh(token)).to.match(/^spoq_/);
  });

  it('waits with the rotation while there is no box', async () => {
    await database.db('user_vps').update({ status: 'terminated' });
    expect(await refresh(first)).to.equal('400 invalid_grant');
    await database.db('user_vps').update({ status: 'ready' });
    expect(await refresh(first)).to.match(/^spoq_/);
  });

  for (const which of ['the present', 'an old'])
    it(`revokes the family with ${which} token, twice over`, async () => {
      const second = await refresh(first);
      const token = which === 'an old' ? first : second;
      for (const hint of ['refresh_token', 'access_token']) {
        const { status, body } = await revoke({ token, token_type_hint: hint });
        expect({ status, body }).to.deep.equal({ status: 200, body: {} });
      }
      for (const dead of [first, second]) expect(await refresh(dead)).to.equal('400 invalid_grant');
      const entries = database.db('audit_log').where('action', 'refresh_token.revoked');
      const [{ family_id: family }] = await database.db('refresh_tokens').limit(1).select('family_id');
      expect(await entries.whereRaw("detail->>'family_id' = ?", [family]).count()).to.deep.equal([{ count: '1' }]);
    });

  for (const alg of ['RS256', 'HS256'])
    it(`signs the device out by its access token (${alg}), and by none that was forged or has expired`, async () => {
      const key = plane.deps.config.ENCRYPTION_KEY.reveal();
      const other = await createTestControlPlane(database, github, { ENCRYPTION_KEY: key, JWT_ALGORITHM: alg });
      const devices = new Device(other.url);
      try {
        const { access_token: access, refresh_token: second } = (await devices.refresh(first)).body;
        const [header, payload = '', signature] = access.split('.');
        const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object;
        const forged = Buffer.from(JSON.stringify({ ...claims, jti: 'other' })).toString('base64url');
        await devices.post('/auth/revoke', { token: `${header}.${forged}.${signature}` });
        other.advance(601);
        await devices.post('/auth/revoke', { token: access });
        const { access_token: fresh, refresh_token: third } = (await devices.refresh(second)).body;
        expect(third).to.match(/^spoq_/);
        expect((await devices.post('/auth/revoke', { token: fresh, token_type_hint: 'access_token' })).status).to.equal(
          200,
        );
        expect((await devices.refresh(third)).body.error).to.equal('invalid_grant');
        expect((await actions())[0]?.action).to.equal('refresh_token.revoked');
      } finally {
        await other.close();
      }
    });

  it('answers 200 to a token that it never gave', async () => {
    for (const token of ['spoq_unknown', 'eyJhbGciOiJub25lIn0.e30.', '\u0007', 'x'.repeat(15_000)])
      for (const hint of ['refresh_token', 'nonsense', 'y'.repeat(500)])
        expect((await revoke({ token, token_type_hint: hint })).status).to.equal(200);
    expect(await refresh(first)).to.match(/^spoq_/);
  });

  it('limits an address', async () => {
    await database.db('rate_limits').insert({ key: 'refresh:127.0.0.1', points: 600, expire: Date.now() + 60_000 });
    const answer = await device.refresh(first);
    expect({ status: answer.status, error: answer.body.error }).to.deep.equal({
      status: 429,
      error: 'temporarily_unavailable',
    });
    expect(Number(answer.headers.get('retry-after'))).to.be.within(1, 60);
  });
});
