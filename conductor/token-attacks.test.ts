import { connect } from 'node:net';
import { expect } from 'chai';
import { exportSPKI, importJWK } from 'jose';
import { send } from './testing/client.ts';
import { startControlPlane } from './testing/control-plane.ts';
import type { TestControlPlane } from './testing/control-plane.ts';
import { serve } from './testing/serve.ts';
import type { TestServer } from './testing/serve.ts';
import { startConductor } from './testing/start-conductor.ts';
import type { TestConductor } from './testing/start-conductor.ts';
import { createClaims, createSigningKey, forgeUnsignedToken, signRevocations, signToken } from './testing/tokens.ts';
import type { SigningKey } from './testing/tokens.ts';

interface Scene {
  plane: TestControlPlane;
  /** Of the attacker, who publishes it at `evil`. */
  own: SigningKey;
  /** A second key that is published. */
  second: SigningKey;
  evil: string;
}

const inSeconds = (seconds: number): number => Math.floor(Date.now() / 1000) + seconds;
const encode = (part: unknown): string => Buffer.from(JSON.stringify(part)).toString('base64url');

async function readPublicKey({ jwk }: SigningKey): Promise<string> {
  return exportSPKI((await importJWK(jwk, 'RS256', { extractable: true })) as SigningKey['privateKey']);
}

/** RFC 8725 §2 and §3, and what `jose` by itself would take. */
const ATTACKS: Record<string, (scene: Scene) => Promise<string> | string> = {
  'alg none': ({ plane }) => forgeUnsignedToken(plane.key.kid),
  'alg None with a signature of nothing': ({ plane }) =>
    `${encode({ alg: 'None', kid: plane.key.kid, typ: 'at+jwt' })}.${encode(createClaims())}.${encode('')}`,
  'HS256 with the public key as PEM': async ({ plane }) =>
    signToken(plane.key, {
      header: { alg: 'HS256' },
      key: new TextEncoder().encode(await readPublicKey(plane.key)),
    }),
  'HS256 with the public key as JWK': ({ plane }) =>
    signToken(plane.key, { header: { alg: 'HS256' }, key: new TextEncoder().encode(JSON.stringify(plane.key.jwk)) }),
  'HS256 with the modulus': ({ plane }) =>
    signToken(plane.key, { header: { alg: 'HS256' }, key: Buffer.from(plane.key.jwk.n ?? '', 'base64url') }),
  'RS256 in name and no signature': async ({ plane }) =>
    `${(await signToken(plane.key)).split('.').slice(0, 2).join('.')}.`,
  'its own key in the header (jwk)': ({ plane, own }) =>
    signToken(own, { header: { kid: plane.key.kid, jwk: own.jwk } }),
  'its own keys elsewhere (jku)': ({ plane, own, evil }) =>
    signToken(own, { header: { kid: plane.key.kid, jku: `${evil}/jwks.json` } }),
  'its own certificate elsewhere (x5u)': ({ plane, own, evil }) =>
    signToken(own, { header: { kid: plane.key.kid, x5u: `${evil}/cert.pem` } }),
  'its own certificate in the header (x5c)': ({ plane, own }) =>
    signToken(own, { header: { kid: plane.key.kid, x5c: ['MIIB'] } }),
  'a kid that is a path': ({ own }) => signToken(own, { header: { kid: '../../../../dev/null' } }),
  'a kid that is a query': ({ own }) => signToken(own, { header: { kid: "' UNION SELECT 'key" } }),
  'a kid that is an address': ({ own, evil }) => signToken(own, { header: { kid: `${evil}/jwks.json` } }),
  'a kid that is empty': ({ own }) => signToken(own, { header: { kid: '' } }),
  'a kid that every object has': ({ own }) => signToken(own, { header: { kid: 'constructor' } }),
  'a kid nobody has': ({ own }) => signToken(own),
  'a published kid and another key': ({ plane, own }) => signToken(own, { header: { kid: plane.key.kid } }),
  'one of two keys under the other’s kid': ({ plane, second }) => signToken(second, { header: { kid: plane.key.kid } }),
  'no kid, and two keys to choose from': ({ second }) => signToken(second, { header: { kid: undefined } }),
  'another audience': ({ plane }) => signToken(plane.key, { claims: { aud: 'bob.spoq.test' } }),
  'our audience among others': ({ plane }) =>
    signToken(plane.key, { claims: { aud: ['bob.spoq.test', 'alice.spoq.test'] } }),
  'another issuer': ({ plane, evil }) => signToken(plane.key, { claims: { iss: evil } }),
  'an issuer that begins like ours': ({ plane }) =>
    signToken(plane.key, { claims: { iss: 'https://spoq.test.evil.test' } }),
  'another typ': ({ plane }) => signToken(plane.key, { header: { typ: 'JWT' } }),
  'no typ': ({ plane }) => signToken(plane.key, { header: { typ: undefined } }),
  'a list of revocations': ({ plane }) =>
    signRevocations(plane.key, { revoked: [] }, { claims: { ...createClaims(), revoked: [] } }),
  expired: ({ plane }) => signToken(plane.key, { shift: -700 }),
  'nbf in the future': ({ plane }) => signToken(plane.key, { claims: { nbf: inSeconds(60) } }),
  'iat in the future': ({ plane }) => signToken(plane.key, { claims: { iat: inSeconds(60) } }),
  'no exp': ({ plane }) => signToken(plane.key, { claims: { exp: undefined } }),
  'an exp that is text': ({ plane }) => signToken(plane.key, { claims: { exp: '9999999999' } }),
  'an exp beyond all time': ({ plane }) =>
    signToken(plane.key, { claims: { iat: inSeconds(-90_000), nbf: inSeconds(-90_000), exp: 9e15 } }),
  'a crit that we do not know': async ({ plane }) => {
    const header = { alg: 'RS256', typ: 'at+jwt', kid: plane.key.kid, crit: ['evil'], evil: true };
    const [, payload, signature] = (await signToken(plane.key)).split('.');
    return `${encode(header)}.${payload}.${signature}`;
  },
  'an unencoded payload (b64)': async ({ plane }) => {
    const header = { alg: 'RS256', typ: 'at+jwt', kid: plane.key.kid, crit: ['b64'], b64: false };
    const [, payload, signature] = (await signToken(plane.key)).split('.');
    return `${encode(header)}.${payload}.${signature}`;
  },
  'another payload under a right signature': async ({ plane }) => {
    const [header, , signature] = (await signToken(plane.key)).split('.');
    return `${header}.${encode(createClaims())}.${signature}`;
  },
  'five parts (JWE)': async ({ plane }) => `${await signToken(plane.key)}.${encode('')}.${encode('')}`,
  'twelve kilobytes': async ({ plane }) => signToken(plane.key, { claims: { filler: 'x'.repeat(9000) } }),
};

describe('attacks with tokens', () => {
  let scene: Scene;
  let conductor: TestConductor;
  let evil: TestServer;
  let visits: string[];

  before(async () => {
    const [plane, own, second] = await Promise.all([
      startControlPlane(),
      createSigningKey('own'),
      createSigningKey('second'),
    ]);
    plane.published = [plane.key, second];
    visits = [];
    evil = await serve((req, res) => {
      visits.push(req.url ?? '');
      res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ keys: [own.jwk] }));
    });
    scene = { plane, own, second, evil: evil.url };
    conductor = await startConductor({ plane });
    expect(await knock(await signToken(plane.key))).to.deep.include({ status: 200 });
    expect(await knock(await signToken(second))).to.deep.include({ status: 200 });
  });
  after(async () => {
    await conductor?.close();
    await Promise.all([scene.plane.close(), evil.close()]);
  });

  const knock = (token: string) =>
    send(conductor.remote, { path: '/api/status', headers: { authorization: `Bearer ${token}` } });

  for (const [name, forge] of Object.entries(ATTACKS))
    it(`${name}: refused, and nothing is fetched`, async () => {
      const fetches = scene.plane.fetches;
      const token = await forge(scene);
      const { status, json } = await knock(token);
      expect({ status, code: (json as { code?: string }).code }).to.deep.equal({ status: 403, code: 'token_invalid' });
      expect((json as { detail?: string }).detail)
        .to.be.a('string')
        .and.not.include(token.slice(0, 20));
      expect({ fetches: scene.plane.fetches, visits }).to.deep.equal({ fetches, visits: [] });
    });

  it('a megabyte: refused before it is read to its end', async () => {
    const socket = connect(conductor.remote.socketPath);
    // It hangs up while we still write.
    socket.on('error', () => undefined);
    socket.write(`GET /api/status HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${'a'.repeat(1_000_000)}\r\n\r\n`);
    let answer = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => (answer += chunk));
    await new Promise((closed) => socket.once('close', closed));
    expect(answer).to.match(/^(HTTP\/1\.1 431 |$)/);
    expect(await knock(await signToken(scene.plane.key))).to.deep.include({ status: 200 });
  });
});
