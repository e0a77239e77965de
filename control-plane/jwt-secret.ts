import type { Cipher } from './cipher.ts';
import { randomToken } from './cipher.ts';

const contextOf = (boxId: string) => `user_vps.jwt_secret:${boxId}`;

/** The secret of one box for HS256 mode: 32 random bytes in base64url. Sealed for the column `user_vps.jwt_secret`. */
export function createJwtSecret(cipher: Cipher, boxId: string): string {
  return cipher.encrypt(randomToken(32), contextOf(boxId));
}

/** The secret itself, for signing and for the box's own configuration. @throws Error when it was sealed for another box. */
export function unsealJwtSecret(cipher: Cipher, box: { id: string; jwt_secret: string }): string {
  return cipher.decrypt(box.jwt_secret, contextOf(box.id));
}
