import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';

/** Encrypts what must be readable again (keys, crypt hashes) before it reaches the database. */
export interface Cipher {
  /** Of the key that seals. Says nothing about the key itself. */
  readonly keyId: string;
  /**
   * AES-256-GCM with the first key, `v2.<key id>.<iv>.<tag>.<ciphertext>` in base64url; `context` is authenticated
   * (say `signing_keys:<kid>`).
   */
  encrypt(plain: string, context: string): string;
  /**
   * Reads what any of the keys has sealed, and `v1.<iv>.<tag>.<ciphertext>` of before keys had ids.
   * @throws Error when the text, the keys or the context don't match
   */
  decrypt(sealed: string, context: string): string;
}

/**
 * The keys of ENCRYPTION_KEY, each 32 bytes in base64, separated by commas.
 * @throws Error that says what is wrong, and repeats nothing of it
 */
export function parseEncryptionKeys(list: string): Buffer[] {
  const keys = list.split(',').map((key) => Buffer.from(key.trim(), 'base64'));
  if (keys.some((key) => key.length !== 32))
    throw new Error(keys.length === 1 ? 'is not 32 bytes in base64' : 'has a key that is not 32 bytes in base64');
  if (new Set(keys.map(toKeyId)).size < keys.length) throw new Error('has the same key twice');
  return keys;
}

/** @param list as in ENCRYPTION_KEY: the first key seals, all of them open */
export function createCipher(list: string): Cipher {
  const keys = new Map(parseEncryptionKeys(list).map((key) => [toKeyId(key), key]));
  const [[keyId, first] = raise('no key')] = keys;
  return {
    keyId,
    encrypt(plain, context) {
      const iv = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', first, iv).setAAD(Buffer.from(context));
      const body = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()]);
      return ['v2', keyId, ...[iv, cipher.getAuthTag(), body].map((part) => part.toString('base64url'))].join('.');
    },
    decrypt(sealed, context) {
      const [version, ...parts] = sealed.split('.');
      if (version === 'v1') return openWithAny([...keys.values()], parts, context);
      if (version !== 'v2') throw new Error(`not a sealed value (${context})`);
      const [id = '', ...rest] = parts;
      const key = keys.get(id) ?? raise(`sealed with the key ${id}, which ENCRYPTION_KEY does not hold (${context})`);
      return open(key, rest, context);
    },
  };
}

function toKeyId(key: Buffer): string {
  return createHash('sha256').update('spoq encryption key').update(key).digest('hex').slice(0, 8);
}

function openWithAny(keys: Buffer[], parts: string[], context: string): string {
  let last: unknown;
  for (const key of keys)
    try {
      return open(key, parts, context);
    } catch (error) {
      last = error;
    }
  throw new Error(`no key of ENCRYPTION_KEY opens it (${context})`, { cause: last });
}

function open(key: Buffer, parts: string[], context: string): string {
  const [iv, tag, body] = parts;
  if (iv === undefined || tag === undefined || body === undefined) throw new Error(`not a sealed value (${context})`);
  const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(iv, 'base64url'), { authTagLength: 16 });
  decipher.setAAD(Buffer.from(context)).setAuthTag(Buffer.from(tag, 'base64url'));
  return Buffer.concat([decipher.update(Buffer.from(body, 'base64url')), decipher.final()]).toString('utf8');
}

function raise(message: string): never {
  throw new Error(message);
}

/** SHA-256 in hex: how bearer values (sessions, device codes, refresh tokens) are kept. They are random, so no salt is needed. */
export function hashToken(value: string): string {
  return createHash('sha256').update(value).digest('hex');
}

/** `bytes` random bytes in base64url. */
export function randomToken(bytes = 32): string {
  return randomBytes(bytes).toString('base64url');
}
