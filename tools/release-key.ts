import { createPrivateKey, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import {
  HASHED_ALGORITHM,
  KEY_ALGORITHM,
  digestContent,
  formatPublicKey,
  parsePublicKey,
  showKeyId,
} from '../contract/minisign.ts';
import type { PublicKey } from '../contract/minisign.ts';
import { cacheDir } from './engine.ts';
import { ToolError } from './terminal.ts';

/** Names the file of the key that real releases are signed with. Only a path ever stands in the environment. */
export const KEY_FILE_VARIABLE = 'SPOQ_RELEASE_KEY_FILE';

export interface ReleaseKey {
  publicKey: PublicKey;
  /** The text of a .minisig for `content`. `comment` is signed as well and shown by minisign. */
  sign: (content: Buffer, comment: string) => string;
}

/** Of a minisign secret key without a password: algorithm, no KDF, BLAKE2b, then salt and limits of a KDF, all zero. */
const HEAD = Buffer.concat([Buffer.from(KEY_ALGORITHM), Buffer.alloc(2), Buffer.from('B2'), Buffer.alloc(48)]);
const KDF_BYTES = { from: 2, to: 4 };
/** Key id, seed, public key, and a checksum that keys without a password don't have. */
const BODY_BYTES = 8 + 32 + 32 + 32;
/** What stands before an Ed25519 seed in PKCS#8 (RFC 8410). */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

/**
 * The key that this clone signs with: of SPOQ_RELEASE_KEY_FILE, or else one that is made for the sandbox and kept in the cache.
 * Throws a ToolError when the named one cannot be used.
 */
export function loadReleaseKey(env: NodeJS.ProcessEnv): ReleaseKey {
  const given = env[KEY_FILE_VARIABLE];
  if (given !== undefined && given !== '') return readReleaseKey(path.resolve(given));
  const file = path.join(cacheDir(env), 'release-key', 'sandbox.key');
  if (!existsSync(file)) writeKeyPair(file, { keepOther: true });
  return readReleaseKey(file);
}

/** Reads a secret key in minisign's format, without a password. Throws a ToolError that names the file, never its content. */
export function readReleaseKey(file: string): ReleaseKey {
  const bytes = Buffer.from(readKeyText(file).trim().split('\n').at(-1) ?? '', 'base64');
  if (bytes.length !== HEAD.length + BODY_BYTES || bytes.toString('latin1', 0, 2) !== KEY_ALGORITHM)
    throw new ToolError(
      `${file} is not a secret key of minisign's. Make one with \`npm run release -- keygen ${file}\`.`,
    );
  if (!bytes.subarray(KDF_BYTES.from, KDF_BYTES.to).equals(HEAD.subarray(KDF_BYTES.from, KDF_BYTES.to)))
    throw new ToolError(`${file} has a password, which nobody could type in CI. Make a key with \`minisign -G -W\`.`);
  const body = bytes.subarray(HEAD.length);
  const [id, seed, raw] = [body.subarray(0, 8), body.subarray(8, 40), body.subarray(40, 72)];
  const der = Buffer.concat([PKCS8_PREFIX, seed]);
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const publicKey = parsePublicKey(Buffer.concat([Buffer.from(KEY_ALGORITHM), id, raw]).toString('base64'));
  return { publicKey, sign: (content, comment) => signContent(privateKey, id, content, comment) };
}

function readKeyText(file: string): string {
  try {
    if ((statSync(file).mode & 0o077) !== 0)
      throw new ToolError(`Others can read ${file}, and with it sign as you. Run \`chmod 600 ${file}\` first.`);
    return readFileSync(file, 'utf8');
  } catch (cause) {
    if (cause instanceof ToolError) throw cause;
    throw new ToolError(
      `The release key ${file} cannot be read. ${KEY_FILE_VARIABLE} must name a file of minisign's.`,
      {
        cause,
      },
    );
  }
}

function signContent(privateKey: KeyObject, id: Buffer, content: Buffer, comment: string): string {
  const made = sign(null, digestContent(content), privateKey);
  const overall = sign(null, Buffer.concat([made, Buffer.from(comment)]), privateKey);
  const line = Buffer.concat([Buffer.from(HASHED_ALGORITHM), id, made]).toString('base64');
  return `untrusted comment: signature from Spoq's release key\n${line}\ntrusted comment: ${comment}\n${overall.toString('base64')}\n`;
}

/**
 * Makes a key pair: `file` (0600) and `file` with `.pub` for `.key`. A key that is there is never overwritten: that is a
 * ToolError, or with `keepOther` (another run made it in this moment) nothing.
 */
export function writeKeyPair(file: string, { keepOther = false } = {}): PublicKey {
  const { privateKey } = generateKeyPairSync('ed25519');
  const { d = '', x = '' } = privateKey.export({ format: 'jwk' });
  const [id, seed, raw] = [randomBytes(8), Buffer.from(d, 'base64url'), Buffer.from(x, 'base64url')];
  const publicKey = parsePublicKey(Buffer.concat([Buffer.from(KEY_ALGORITHM), id, raw]).toString('base64'));
  const secret = Buffer.concat([HEAD, id, seed, raw, Buffer.alloc(32)]).toString('base64');
  const name = showKeyId(Buffer.concat([Buffer.from(KEY_ALGORITHM), id]));
  mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  const draft = `${file}.${process.pid}.new`;
  writeFileSync(draft, `untrusted comment: minisign secret key ${name}, without a password\n${secret}\n`, {
    mode: 0o600,
  });
  try {
    linkSync(draft, file); // unlike a rename, it fails where there is one
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    if (keepOther) return publicKey;
    throw new ToolError(`${file} is there already; nothing was changed. A lost release key cannot be made again.`);
  } finally {
    rmSync(draft, { force: true });
  }
  writeFileSync(publicFile(file), formatPublicKey(publicKey));
  return publicKey;
}

/** Where the public half of a pair is kept. */
export function publicFile(file: string): string {
  return `${file.replace(/\.key$/, '')}.pub`;
}
