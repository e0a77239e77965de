import { argon2, randomBytes, randomInt } from 'node:crypto';
import { promisify } from 'node:util';
import { encrypt } from 'unixcrypt';
import type { Cipher } from '../cipher.ts';

/** OWASP's least for argon2id: 19 MiB, two passes, one lane. */
const ARGON2 = { memory: 19_456, passes: 2, parallelism: 1, tagLength: 32 } as const;
const CRYPT_ALPHABET = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** argon2id in the PHC string format, with a salt of its own. */
export async function hashArgon2(password: string): Promise<string> {
  const nonce = randomBytes(16);
  const tag = await promisify(argon2)('argon2id', { message: password, nonce, ...ARGON2 });
  const base64 = (bytes: Buffer) => bytes.toString('base64').replaceAll('=', '');
  return `$argon2id$v=19$m=${ARGON2.memory},t=${ARGON2.passes},p=${ARGON2.parallelism}$${base64(nonce)}$${base64(tag)}`;
}

/** The `$6$` hash (SHA-512 crypt) that the box's /etc/shadow takes. */
export function hashCrypt(password: string): string {
  const salt = Array.from({ length: 16 }, () => CRYPT_ALPHABET[randomInt(CRYPT_ALPHABET.length)]).join('');
  return encrypt(password, `$6$${salt}`);
}

const contextOf = (userId: string) => `ssh_passwords.crypt:${userId}`;

/** Seals a crypt hash for the database: it could be guessed at, unlike the argon2 one, in no time at all. */
export function sealPasswordCrypt(cipher: Cipher, userId: string, crypt: string): string {
  return cipher.encrypt(crypt, contextOf(userId));
}

/** The crypt hash of a box's owner, out of `user_vps.ssh_password_crypt`. @throws Error when it is another user's, or erased */
export function unsealPasswordCrypt(
  cipher: Cipher,
  row: { user_id: string; ssh_password_crypt: string | null },
): string {
  if (row.ssh_password_crypt === null) throw new Error('the password of this box is erased');
  return cipher.decrypt(row.ssh_password_crypt, contextOf(row.user_id));
}
