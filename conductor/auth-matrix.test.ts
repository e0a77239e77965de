import { expect } from 'chai';
import { exportSPKI, importJWK } from 'jose';
import { compileConductor, formatConfig, runConductor } from './testing/compiled.ts';
import { send } from './testing/client.ts';
import type { Target } from './testing/client.ts';
import { startControlPlane } from './testing/control-plane.ts';
import type { TestControlPlane } from './testing/control-plane.ts';
import { startModelServer } from './testing/model-server.ts';
import type { TestModelServer } from './testing/model-server.ts';
import { startConductor, TEST_API_KEY } from './testing/start-conductor.ts';
import type { SigningKey } from './testing/tokens.ts';
import { createSigningKey, forgeUnsignedToken, signToken, STRANGER_ID } from './testing/tokens.ts';

interface Running {
  local: Target;
  remote: Target;
  close(): Promise<void>;
}

/** The header Authorization of each kind of caller, and what the remote listener makes of it. */
interface Caller {
  name: string;
  authorization: (plane: TestControlPlane) => Promise<string | string[] | undefined>;
  /** The problem's code, or undefined when it is let in. */
  refused: 'token_missing' | 'token_invalid' | undefined;
}

function bearer(make: (plane: TestControlPlane) => string | Promise<string>): Caller['authorization'] {
  return async (plane) => `Bearer ${await make(plane)}`;
}

const CALLERS: Caller[] = [
  { name: 'no token', authorization: async () => undefined, refused: 'token_missing' },
  { name: 'another scheme', authorization: async () => 'Basic YWxpY2U6c2VjcmV0', refused: 'token_missing' },
  { name: 'garbage', authorization: async () => 'Bearer garbage', refused: 'token_invalid' },
  { name: 'an empty token', authorization: async () => 'Bearer ', refused: 'token_invalid' },
  { name: 'a token of a megabyte', authorization: async () => `Bearer ${'a'.repeat(9000)}`, refused: 'token_invalid' },
  { name: 'expired', authorization: bearer(({ key }) => signToken(key, { shift: -700 })), refused: 'token_invalid' },
  {
    name: 'not yet valid',
    authorization: bearer(({ key }) => signToken(key, { shift: 3600 })),
    refused: 'token_invalid',
  },
  {
    name: 'issued in the future',
    authorization: bearer(({ key }) => signToken(key, { claims: { iat: Math.floor(Date.now() / 1000) + 600 } })),
    refused: 'token_invalid',
  },
  {
    name: 'valid for a year',
    authorization: bearer(({ key }) => {
      const now = Math.floor(Date.now() / 1000);
      return signToken(key, { claims: { iat: now - 90_000, nbf: now - 90_000, exp: now + 31_536_000 } });
    }),
    refused: 'token_invalid',
  },
  {
    name: 'wrong key under a right kid',
    authorization: bearer(async ({ key }) => signToken(await createSigningKey(key.kid))),
    refused: 'token_invalid',
  },
  {
    name: 'unknown kid',
    authorization: bearer(async () => signToken(await createSigningKey('never-published'))),
    refused: 'token_invalid',
  },
  {
    name: 'kid is a path',
    authorization: bearer(({ key }) => signToken(key, { header: { kid: '../../etc/passwd' } })),
    refused: 'token_invalid',
  },
  {
    name: 'no kid',
    authorization: bearer(({ key }) => signToken(key, { header: { kid: undefined } })),
    refused: 'token_invalid',
  },
  { name: 'alg none', authorization: bearer(({ key }) => forgeUnsignedToken(key.kid)), refused: 'token_invalid' },
  {
    name: 'HS256 signed with the public key',
    authorization: bearer(async ({ key }) => {
      const publicKey = await importJWK(key.jwk, 'RS256', { extractable: true });
      const pem = new TextEncoder().encode(await exportSPKI(publicKey as SigningKey['privateKey']));
      return signToken(key, { header: { alg: 'HS256' }, key: pem });
    }),
    refused: 'token_invalid',
  },
  {
    name: 'the key in the header',
    authorization: bearer(async () => {
      const own = await createSigningKey('own');
      return signToken(own, { header: { jwk: own.jwk, jku: 'http://127.0.0.1:1/jwks' } });
    }),
    refused: 'token_invalid',
  },
  {
    name: 'wrong typ',
    authorization: bearer(({ key }) => signToken(key, { header: { typ: 'JWT' } })),
    refused: 'token_invalid',
  },
  {
    name: 'wrong issuer',
    authorization: bearer(({ key }) => signToken(key, { claims: { iss: 'https://evil.test' } })),
    refused: 'token_invalid',
  },
  {
    name: 'wrong audience',
    authorization: bearer(({ key }) => signToken(key, { claims: { aud: 'bob.spoq.test' } })),
    refused: 'token_invalid',
  },
  {
    name: 'several audiences',
    authorization: bearer(({ key }) => signToken(key, { claims: { aud: ['alice.spoq.test', 'bob.spoq.test'] } })),
    refused: 'token_invalid',
  },
  {
    name: 'other user',
    authorization: bearer(({ key }) => signToken(key, { claims: { sub: STRANGER_ID, user_id: STRANGER_ID } })),
    refused: 'token_invalid',
  },
  {
    name: 'other user_id only',
    authorization: bearer(({ key }) => signToken(key, { claims: { user_id: STRANGER_ID } })),
    refused: 'token_invalid',
  },
  {
    name: 'other sub only',
    authorization: bearer(({ key }) => signToken(key, { claims: { sub: STRANGER_ID } })),
    refused: 'token_invalid',
  },
  ...['exp', 'iat', 'nbf', 'sub', 'aud', 'iss', 'jti', 'client_id', 'sid', 'user_id'].map((claim): Caller => ({
    name: `without ${claim}`,
    authorization: bearer(({ key }) => signToken(key, { claims: { [claim]: undefined } })),
    refused: 'token_invalid',
  })),
  {
    name: 'two Authorization headers',
    authorization: async ({ key }) => [`Bearer ${await signToken(key)}`, 'Bearer other'],
    refused: 'token_invalid',
  },
  { name: 'valid', authorization: bearer(({ key }) => signToken(key)), refused: undefined },
];

const ASK = { body: { question: 'Why?' }, method: 'POST' };
/** What each address answers to who is let in. */
const ENDPOINTS = [
  { path: '/health', send: {}, open: true, status: 200 },
  { path: '/api/status', send: {}, open: false, status: 200 },
  { path: '/api/ask', send: ASK, open: false, status: 200 },
  { path: '/api/unknown', send: {}, open: false, status: 404 },
  { path: '/health', send: { method: 'POST', body: {} }, open: false, status: 405 },
  { path: '/Health', send: {}, open: false, status: 404 },
  { path: '/health/', send: {}, open: false, status: 404 },
];

/** What doesn't belong on the local listener. Sent with a valid token, which must not help. */
const PROXIED: { name: string; headers: Record<string, string | string[]> }[] = [
  { name: 'Origin', headers: { origin: 'https://evil.test' } },
  { name: 'Origin null', headers: { origin: 'null' } },
  { name: 'Forwarded', headers: { forwarded: 'for=192.0.2.1' } },
  { name: 'X-Forwarded-For', headers: { 'x-forwarded-for': '192.0.2.1' } },
  { name: 'X-Forwarded-For with our own address', headers: { 'x-forwarded-for': '127.0.0.1' } },
  { name: 'X-Forwarded-Host', headers: { 'x-forwarded-host': 'localhost' } },
  { name: 'X-Forwarded-Proto', headers: { 'x-forwarded-proto': 'https' } },
  { name: 'X-Forwarded-Port', headers: { 'x-forwarded-port': '443' } },
  { name: 'an empty X-Forwarded-For', headers: { 'x-forwarded-for': '' } },
  { name: 'Via', headers: { via: '1.1 caddy' } },
  { name: 'X-Real-IP', headers: { 'x-real-ip': '192.0.2.1' } },
  { name: 'a page of another site', headers: { 'sec-fetch-site': 'cross-site' } },
  { name: 'a foreign Host', headers: { host: 'alice.spoq.test' } },
  { name: 'a Host that begins like ours', headers: { host: 'localhost.evil.test' } },
  { name: 'a Host that ends like ours', headers: { host: 'evil.localhost' } },
  { name: 'a Host of another loopback address', headers: { host: '127.0.0.2' } },
];

async function runInProcess(plane: TestControlPlane, model: TestModelServer): Promise<Running> {
  return startConductor({ plane, model: { baseUrl: model.url } });
}

async function runCompiled(plane: TestControlPlane, model: TestModelServer): Promise<Running> {
  const executable = await compileConductor('auth');
  const config = formatConfig({ jwksUrl: plane.jwksUrl, modelUrl: model.url });
  return runConductor([executable], config, { ANTHROPIC_API_KEY: TEST_API_KEY });
}

for (const { kind, run } of [
  { kind: 'in this process', run: runInProcess },
  { kind: 'compiled', run: runCompiled },
]) {
  describe(`authentication matrix (${kind})`, () => {
    let plane: TestControlPlane;
    let model: TestModelServer;
    let conductor: Running;

    before(async () => {
      plane = await startControlPlane();
      model = await startModelServer();
      conductor = await run(plane, model);
    });
    after(async () => {
      await conductor?.close();
      await Promise.all([plane.close(), model.close()]);
    });

    for (const caller of CALLERS) {
      it(`remote: ${caller.name}`, async () => {
        const authorization = await caller.authorization(plane);
        for (const endpoint of ENDPOINTS) {
          const headers: Record<string, string | string[]> = authorization === undefined ? {} : { authorization };
          const answer = await send(conductor.remote, { path: endpoint.path, headers, ...endpoint.send });
          const refused = endpoint.open ? undefined : caller.refused;
          const seen = { endpoint, status: answer.status, code: refused && (answer.json as { code: string }).code };
          expect(seen).to.deep.equal({
            endpoint,
            status: refused === undefined ? endpoint.status : 403,
            code: refused,
          });
          if (refused === undefined) continue;
          expect(answer.headers['content-type']).to.equal('application/problem+json');
          const challenge = /^Bearer realm="spoq"(, error="invalid_token", error_description="[^"]+")?$/;
          expect(answer.headers['www-authenticate']).to.match(challenge);
          expect(answer.headers['www-authenticate']?.includes('error=')).to.equal(refused === 'token_invalid');
        }
      });

      it(`local: ${caller.name}`, async () => {
        const authorization = await caller.authorization(plane);
        for (const endpoint of ENDPOINTS) {
          const headers: Record<string, string | string[]> = authorization === undefined ? {} : { authorization };
          const { status } = await send(conductor.local, { path: endpoint.path, headers, ...endpoint.send });
          expect({ endpoint, status }).to.deep.equal({ endpoint, status: endpoint.status });
        }
      });
    }

    for (const { name, headers } of PROXIED) {
      it(`local, with ${name}: refused everywhere`, async () => {
        const authorization = `Bearer ${await signToken(plane.key)}`;
        for (const endpoint of ENDPOINTS) {
          const what = { path: endpoint.path, ...endpoint.send, headers: { authorization, ...headers } };
          const answer = await send(conductor.local, what);
          const { code } = answer.json as { code: string };
          expect({ endpoint, status: answer.status, code }).to.deep.equal({ endpoint, status: 403, code: 'forbidden' });
        }
      });
    }

    it('remote: forwarding headers are the front door’s own and change nothing', async () => {
      const headers = { 'x-forwarded-for': '127.0.0.1', host: 'localhost', origin: 'http://localhost' };
      expect((await send(conductor.remote, { path: '/api/status', headers })).status).to.equal(403);
      const authorization = `Bearer ${await signToken(plane.key)}`;
      expect(
        (await send(conductor.remote, { path: '/api/status', headers: { ...headers, authorization } })).status,
      ).to.equal(200);
    });

    it('local: localhost with any port, as through an SSH tunnel', async () => {
      for (const host of ['localhost', 'localhost:9000', '127.0.0.1', '127.0.0.1:8080', 'LocalHost']) {
        expect((await send(conductor.local, { path: '/api/status', headers: { host } })).status).to.equal(200);
      }
    });

    it('a token in the address is not a token', async () => {
      const path = `/api/status?access_token=${await signToken(plane.key)}`;
      expect((await send(conductor.remote, { path })).status).to.equal(403);
    });
  });
}
