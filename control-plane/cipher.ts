import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';

/** Encrypts what must be readable again (keys, crypt hashes) before it reaches the database. */
export interface Cipher {
  /** AES-256-GCM, `v1.<iv>.<tag>.<ciphertext>` in base64url; `context` is authenticated (say `signing_keys:<kid>`). */
  encrypt(plain: string, context: string): string;
  /** @throws Error when the text, the key or the context doesn't match. */
  decrypt(sealed: string, context: string): string;
}

/** @param key 32 bytes in base64 */
export function createCipher(key: string): Cipher {
  const raw = Buffer.from(key, 'base64');
  return {
    encrypt(plain, context) {
      const iv = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', raw, iv).setAAD(Buffer.from(context));
      const body = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()]);
      return ['v1', iv, cipher.getAuthTag(), body]
        .map((part) => (typeof part === 'string' ? part : part.toString('base64url')))
        .join('.');
    },
    decrypt(sealed, context) {
      const [version, iv, tag, body] = sealed.split('.');
      if (version !== 'v1' || iv === undefined || tag === undefined || body === undefined)
        throw new Error(`not a sealed value (${context})`);
      const decipher = createDecipheriv('aes-256-gcm', raw, Buffer.from(iv, 'base64url'), { authTagLength: 16 });
      decipher.setAAD(Buffer.from(context)).setAuthTag(Buffer.from(tag, 'base64url'));
      return Buffer.concat([decipher.update(Buffer.from(body, 'base64url')), decipher.final()]).toString('utf8');
    },
  };
}

/** SHA-256 in hex: how bearer values (sessions, device codes, refresh tokens) are kept. They are random, so no salt is needed. */
export function hashToken(value: string): string {
  return createHash('sha256').update(value).digest('hex');
}

/** `bytes` random bytes in base64url. */
export function randomToken(bytes = 32): string {
  return randomBytes(bytes).toString('base64url');
}
