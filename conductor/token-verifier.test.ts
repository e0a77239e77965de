import { expect } from 'chai';
import { importJWK } from 'jose';
import { SpoqError } from '../contract/errors.ts';
import { createTokenVerifier } from './token-verifier.ts';
import type { VerifierKeys } from './token-verifier.ts';
import type { KeyCache } from './key-cache.ts';
import { createClaims, createSigningKey, HOSTNAME, ISSUER, OWNER_ID, signToken } from './testing/tokens.ts';
import type { SigningKey, TokenChanges } from './testing/tokens.ts';

const SECRET = 'a-secret-of-this-box-and-no-other-one';

describe('token verifier', () => {
  let key: SigningKey;

  before(async () => {
    key = await createSigningKey('first');
  });

  const revocations = { includes: async ({ jti }: { jti: string }) => jti === 'of a device that was signed out' };

  function verify(keys: VerifierKeys, token: string, now: number = Date.now()): Promise<unknown> {
    const deps = { issuer: ISSUER, hostname: HOSTNAME, ownerId: OWNER_ID, keys, revocations, now: () => now };
    return createTokenVerifier(deps)(token).catch((error: unknown) =>
      error instanceof SpoqError ? { code: error.code, detail: error.detail } : error,
    );
  }

  describe('with a secret of the box (HS256)', () => {
    const keys: VerifierKeys = { algorithm: 'HS256', secret: SECRET };
    const sign = (secret: string, changes: TokenChanges = {}): Promise<string> =>
      signToken(key, { header: { alg: 'HS256', kid: undefined }, key: new TextEncoder().encode(secret), ...changes });

    it('takes the owner’s token, which has no kid', async () => {
      const claims = createClaims();
      expect(await verify(keys, await sign(SECRET, { claims }))).to.deep.equal(claims);
    });

    it('refuses a token signed with another box’s secret', async () => {
      expect(await verify(keys, await sign(`${SECRET}!`))).to.deep.equal({
        code: 'token_invalid',
        detail: 'The signature of the token is not right.',
      });
    });

    it('refuses a token signed with a key pair', async () => {
      expect(await verify(keys, await signToken(key))).to.deep.equal({
        code: 'token_invalid',
        detail: 'The token is signed with an algorithm that is not allowed.',
      });
    });

    it('refuses a token of a device that was signed out', async () => {
      const claims = { jti: 'of a device that was signed out' };
      expect(await verify(keys, await sign(SECRET, { claims }))).to.deep.equal({
        code: 'token_invalid',
        detail: 'The device of the token was signed out.',
      });
    });

    it('refuses what it refuses otherwise: another audience', async () => {
      expect(await verify(keys, await sign(SECRET, { claims: { aud: 'bob.spoq.test' } }))).to.deep.equal({
        code: 'token_invalid',
        detail: 'The claim aud of the token is not right.',
      });
    });
  });

  describe('with published keys (RS256)', () => {
    const asked: string[] = [];
    const cache: KeyCache = {
      start: async () => undefined,
      refresh: async () => undefined,
      stop: async () => undefined,
      async find(kid) {
        asked.push(kid);
        return undefined;
      },
    };

    it('asks for no key when the kid is not a plain name', async () => {
      for (const kid of [undefined, '', '../jwks', 'https://evil.test/jwks', "' or 1=1", 'x'.repeat(129)]) {
        const told = await verify({ algorithm: 'RS256', cache }, await signToken(key, { header: { kid } }));
        expect(told).to.deep.equal({ code: 'token_invalid', detail: 'The token names no key.' });
      }
      expect(asked).to.deep.equal([]);
    });

    it('says in its words what is wrong, for the log and for who asks', async () => {
      expect(await verify({ algorithm: 'RS256', cache }, await signToken(key))).to.deep.equal({
        code: 'token_invalid',
        detail: 'The token is signed with a key that is not published, or keys cannot be fetched.',
      });
      expect(asked).to.deep.equal(['first']);
    });

    it('allows ten seconds between two clocks, not a minute', async () => {
      const known: KeyCache = { ...cache, find: async () => await importPublic(key) };
      const past = await signToken(key, { shift: -605 });
      expect(await verify({ algorithm: 'RS256', cache: known }, past)).to.have.property('user_id', OWNER_ID);
      const longPast = await signToken(key, { shift: -660 });
      expect(await verify({ algorithm: 'RS256', cache: known }, longPast)).to.have.property('code', 'token_invalid');
    });

    it('tells the time of the box when its clock is off', async () => {
      const keys: VerifierKeys = { algorithm: 'RS256', cache: { ...cache, find: async () => await importPublic(key) } };
      const token = await signToken(key);
      const now = Date.now();
      for (const [hours, words] of [
        [-2, 'The token is not valid yet.'],
        [2, 'The token has expired.'],
      ] as const) {
        const clock = now + hours * 3_600_000;
        const time = new Date(clock).toISOString().replace(/\.\d+/, '');
        expect(await verify(keys, token, clock)).to.deep.equal({
          code: 'token_invalid',
          detail: `${words} This box's clock says ${time}.`,
        });
      }
      const forged = await signToken(await createSigningKey('first'), { shift: -7200 });
      expect(await verify(keys, forged)).to.have.property('detail', 'The signature of the token is not right.');
    });
  });
});

async function importPublic({ jwk }: SigningKey): Promise<SigningKey['privateKey']> {
  const imported = await importJWK(jwk, 'RS256');
  if (imported instanceof Uint8Array) throw new Error('not a public key');
  return imported;
}
