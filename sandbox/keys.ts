import { randomBytes } from 'node:crypto';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** An invented key in a vendor's shape: `prefix` and `length` random letters and digits. Opens nothing anywhere. */
export function inventKey(prefix: string, length: number): string {
  const letters = Array.from(randomBytes(length), (byte) => ALPHABET[byte % ALPHABET.length]);
  return prefix + letters.join('');
}

/** Random lower-case hexadecimal, as ids of Cloudflare and others are. */
export function inventHex(length: number): string {
  return randomBytes(Math.ceil(length / 2))
    .toString('hex')
    .slice(0, length);
}
