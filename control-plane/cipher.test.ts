import { expect } from 'chai';
import * as fc from 'fast-check';
import { createCipher } from './cipher.ts';

const cipher = createCipher(Buffer.alloc(32, 1).toString('base64'));

describe('cipher', () => {
  it('gives back what was sealed, and never seals the same text twice alike', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string(), (plain, context) => {
        const [first, second] = [cipher.encrypt(plain, context), cipher.encrypt(plain, context)];
        expect(cipher.decrypt(first, context)).to.equal(Buffer.from(plain, 'utf8').toString('utf8'));
        expect(first).not.to.equal(second);
      }),
    );
  });

  it('refuses another context, another key and a changed text', () => {
    const sealed = cipher.encrypt('the key', 'signing_keys:a');
    expect(() => cipher.decrypt(sealed, 'signing_keys:b')).to.throw();
    expect(() => createCipher(Buffer.alloc(32, 2).toString('base64')).decrypt(sealed, 'signing_keys:a')).to.throw();
    expect(() => cipher.decrypt('v2.a.b.c', 'signing_keys:a')).to.throw('not a sealed value');
    // A truncated tag would make forging cheap.
    const [v, iv, tag, body] = sealed.split('.');
    const changed = Buffer.from(Buffer.from(body ?? '', 'base64url').map((byte) => byte ^ 1)).toString('base64url');
    expect(() => cipher.decrypt([v, iv, tag, changed].join('.'), 'signing_keys:a')).to.throw();
    expect(() => cipher.decrypt([v, iv, tag?.slice(0, 8), body].join('.'), 'signing_keys:a')).to.throw();
  });
});
