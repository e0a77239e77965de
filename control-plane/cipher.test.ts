import { expect } from 'chai';
import * as fc from 'fast-check';
import { createCipher, parseEncryptionKeys } from './cipher.ts';

const [first = '', second = '', third = ''] = [1, 2, 3].map((byte) => Buffer.alloc(32, byte).toString('base64'));
const cipher = createCipher(first);

describe('cipher', () => {
  it('gives back what was sealed, and never seals the same text twice alike', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string(), (plain, context) => {
        const [one, other] = [cipher.encrypt(plain, context), cipher.encrypt(plain, context)];
        expect(cipher.decrypt(one, context)).to.equal(Buffer.from(plain, 'utf8').toString('utf8'));
        expect(one).not.to.equal(other);
      }),
    );
  });

  it('refuses another context, another key and a changed text', () => {
    const sealed = cipher.encrypt('the key', 'signing_keys:a');
    expect(() => cipher.decrypt(sealed, 'signing_keys:b')).to.throw();
    expect(() => createCipher(second).decrypt(sealed, 'signing_keys:a')).to.throw(
      `sealed with the key ${cipher.keyId}, which ENCRYPTION_KEY does not hold (signing_keys:a)`,
    );
    for (const other of ['', 'crypt', 'v3.a.b.c.d', 'v2.', `v2.${cipher.keyId}.a`])
      expect(() => cipher.decrypt(other, 'signing_keys:a'), other).to.throw(/not a sealed value|sealed with the key /);
    // A truncated tag would make forging cheap.
    const [v, id, iv, tag, body] = sealed.split('.');
    const changed = Buffer.from(Buffer.from(body ?? '', 'base64url').map((byte) => byte ^ 1)).toString('base64url');
    expect(() => cipher.decrypt([v, id, iv, tag, changed].join('.'), 'signing_keys:a')).to.throw();
    expect(() => cipher.decrypt([v, id, iv, tag?.slice(0, 8), body].join('.'), 'signing_keys:a')).to.throw();
  });

  it('seals with the first key, says which it was, and opens with all of them', () => {
    const rotated = createCipher(`${second}, ${first}`);
    expect(rotated.decrypt(cipher.encrypt('the key', 'a'), 'a')).to.equal('the key');
    const sealed = rotated.encrypt('the key', 'a');
    expect(sealed.split('.').slice(0, 2)).to.deep.equal(['v2', createCipher(second).keyId]);
    expect(() => cipher.decrypt(sealed, 'a')).to.throw();
    expect(createCipher(`${third},${second}`).decrypt(sealed, 'a')).to.equal('the key');
  });

  it('opens what was sealed before keys had ids, with whichever key it was', () => {
    const old = toV1(cipher.encrypt('the key', 'signing_keys:a'));
    for (const keys of [first, `${second},${first}`, `${second},${third},${first}`])
      expect(createCipher(keys).decrypt(old, 'signing_keys:a')).to.equal('the key');
    expect(() => createCipher(`${second},${third}`).decrypt(old, 'signing_keys:a')).to.throw(
      'no key of ENCRYPTION_KEY',
    );
    expect(() => cipher.decrypt(old, 'signing_keys:b')).to.throw();
  });

  it('takes keys of 32 bytes, each once', () => {
    expect(parseEncryptionKeys(`${first} , ${second}`)).to.have.length(2);
    for (const [list, message] of [
      ['', 'is not 32 bytes in base64'],
      ['c2hvcnQ=', 'is not 32 bytes in base64'],
      [`${first},`, 'has a key that is not 32 bytes in base64'],
      [`${first},${second},${first}`, 'has the same key twice'],
    ] as const)
      expect(() => parseEncryptionKeys(list), list).to.throw(message);
  });
});

function toV1(sealed: string): string {
  return ['v1', ...sealed.split('.').slice(2)].join('.');
}
