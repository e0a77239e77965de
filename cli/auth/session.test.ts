import { join } from 'node:path';
import { expect } from 'chai';
import { createTestDeps } from '../testing/create-test-deps.ts';
import type { TestDepsOptions } from '../testing/create-test-deps.ts';
import { sendJson, startFakeServer } from '../testing/fake-server.ts';
import type { FakeServer, Handler } from '../testing/fake-server.ts';
import { createCredentials, createTokens, writeCredentials } from '../testing/sign-in.ts';
import { createTemporaryFolder } from '../testing/temporary-folder.ts';
import { findControlPlaneUrl } from './control-plane-url.ts';
import { loadCredentials } from './credentials.ts';
import { getCredentials } from './session.ts';

const EXPIRED = createCredentials({ expires_at: '2026-01-02T03:05:04Z' }); // 59 s on the clock of the tests
const RENEWED = createCredentials({
  access_token: 'access-2',
  refresh_token: 'refresh-2',
  expires_at: '2026-01-02T04:04:05Z',
});
const renew: Handler = (_, res) =>
  sendJson(res, 200, createTokens({ access_token: 'access-2', refresh_token: 'refresh-2' }));

interface Scene {
  server: FakeServer;
  path: string;
  get(rejected?: string, more?: TestDepsOptions): Promise<unknown>;
}

async function withSignIn(
  handler: Handler,
  credentials: typeof EXPIRED,
  check: (scene: Scene) => Promise<void>,
): Promise<void> {
  await using folder = await createTemporaryFolder();
  await using server = await startFakeServer({ 'POST /auth/refresh': handler });
  const path = join(folder.path, 'credentials');
  await writeCredentials(path, credentials);
  const env = { SPOQ_HOME: folder.path, SPOQ_URL: server.url };
  const get = (rejected?: string, more: TestDepsOptions = {}): Promise<unknown> =>
    getCredentials(createTestDeps({ env, ...more }), rejected).catch((error: unknown) => error);
  await check({ server, path, get });
}

describe('getCredentials', () => {
  it('asks nobody while the token lasts more than a minute', () =>
    withSignIn(renew, createCredentials({ expires_at: '2026-01-02T03:05:06Z' }), async ({ server, get }) => {
      expect(await get()).to.deep.equal(createCredentials({ expires_at: '2026-01-02T03:05:06Z' }));
      expect(server.requests).to.deep.equal([]);
    }));

  it('refreshes a token that ends within a minute, and keeps the new one', () =>
    withSignIn(renew, EXPIRED, async ({ server, path, get }) => {
      expect(await get()).to.deep.equal(RENEWED);
      expect(await loadCredentials(path)).to.deep.equal(RENEWED);
      expect(server.requests.map((request) => request.body)).to.deep.equal([
        'grant_type=refresh_token&refresh_token=refresh-1&client_id=spoq-cli',
      ]);
    }));

  it('refreshes a token that the box rejected, however long it would last', () =>
    withSignIn(renew, createCredentials(), async ({ get }) => {
      expect(await get('access-1')).to.deep.equal(RENEWED);
    }));

  it('refreshes once for ten at the same time', () =>
    withSignIn(renew, EXPIRED, async ({ server, get }) => {
      const all = await Promise.all(Array.from({ length: 10 }, () => get()));
      expect(all).to.deep.equal(Array(10).fill(RENEWED));
      expect(server.requests).to.have.lengthOf(1);
    }));

  it('refreshes once for ten, even where the clock is years ahead', () =>
    withSignIn(renew, EXPIRED, async ({ server, get }) => {
      const far = { now: () => Date.parse('2300-01-01T00:00:00Z') };
      await Promise.all(Array.from({ length: 10 }, () => get(undefined, far)));
      expect(server.requests).to.have.lengthOf(1);
    }));

  it('sends a refresh again whose answer was lost', async () => {
    let lost = 2;
    const cut: Handler = (request, res) => (lost-- > 0 ? void res.destroy() : renew(request, res));
    await withSignIn(cut, EXPIRED, async ({ server, get }) => {
      // Half a second and a second were waited.
      expect(await get()).to.deep.equal({ ...RENEWED, expires_at: '2026-01-02T04:04:06Z' });
      expect(new Set(server.requests.map((request) => request.body)).size).to.equal(1);
    });
  });

  it('says when the control plane stays down, and keeps the file', () =>
    withSignIn(
      (_, res) => sendJson(res, 500, { error: 'server_error' }),
      EXPIRED,
      async ({ server, path, get }) => {
        expect(await get()).to.include({ code: 'control_plane_unreachable', exit: 69 });
        expect(server.requests).to.have.lengthOf(3);
        expect(await loadCredentials(path)).to.deep.equal(EXPIRED);
      },
    ));

  it('tells to sign in again when the sign-in has ended, and keeps the file', () =>
    withSignIn(
      (_, res) => sendJson(res, 400, { error: 'invalid_grant' }),
      EXPIRED,
      async ({ server, path, get }) => {
        expect(await get()).to.include({
          code: 'not_authenticated',
          exit: 4,
          next: "Run 'spoq init' to sign in again.",
        });
        expect(server.requests).to.have.lengthOf(1);
        expect(await loadCredentials(path)).to.deep.equal(EXPIRED);
      },
    ));

  it('says who answered when it was not Spoq', () =>
    withSignIn(
      (_, res) => void res.writeHead(200).end('<html>'),
      EXPIRED,
      async ({ get }) => {
        expect(await get())
          .to.have.property('detail')
          .that.matches(/answered 200, and not as Spoq does/);
      },
    ));

  it('has nothing to give without a sign-in', async () => {
    const env = { SPOQ_HOME: '/nonexistent' };
    const error = await getCredentials(createTestDeps({ env })).catch((thrown: unknown) => thrown);
    expect(error).to.include({ code: 'not_authenticated', next: "Run 'spoq init' first." });
  });
});

describe('findControlPlaneUrl', () => {
  const signedBy = (iss: string): string => `x.${Buffer.from(JSON.stringify({ iss })).toString('base64url')}.y`;
  it('prefers SPOQ_URL, then who issued the sign-in, then spoq.dev', () => {
    const credentials = createCredentials({ access_token: signedBy('http://localhost:4000') });
    expect(findControlPlaneUrl({ SPOQ_URL: 'https://other.dev' }, credentials).href).to.equal('https://other.dev/');
    expect(findControlPlaneUrl({}, credentials).href).to.equal('http://localhost:4000/');
    expect(findControlPlaneUrl({}, createCredentials()).href).to.equal('https://spoq.dev/');
    expect(findControlPlaneUrl({}).href).to.equal('https://spoq.dev/');
  });
  it('sends no token in clear, whoever issued it', () => {
    const credentials = createCredentials({ access_token: signedBy('http://evil.example') });
    expect(() => findControlPlaneUrl({}, credentials)).to.throw('https only');
  });
});
