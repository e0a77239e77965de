import { createHash, createPublicKey, verify } from 'node:crypto';
import { SpoqError } from './errors.ts';

/**
 * minisign's formats (https://jedisct1.github.io/minisign/), as far as releases use them: signatures over the BLAKE2b-512 digest of
 * a file (`ED`, minisign's default), with a second signature over the first and the trusted comment.
 */
export const KEY_ALGORITHM = 'Ed';
export const HASHED_ALGORITHM = 'ED';
const KEY_ID_BYTES = 8;
const SIGNATURE_BYTES = 64;
const PUBLIC_KEY_BYTES = 32;
const HEAD_BYTES = 2 + KEY_ID_BYTES;
/** What stands before an Ed25519 public key in SubjectPublicKeyInfo (RFC 8410). */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

export interface PublicKey {
  /** 16 hex digits, as minisign writes them: the bytes backwards. */
  id: string;
  /** One line of base64, which is the whole key: what `minisign -P` takes. */
  text: string;
  /** The 32 bytes. */
  raw: Buffer;
}

/** Reads a public key: a file of minisign's, or the one line that matters in it. Throws `release_invalid`. */
export function parsePublicKey(text: string): PublicKey {
  const line = text.trim().split('\n').at(-1)?.trim() ?? '';
  const bytes = decode(line, HEAD_BYTES + PUBLIC_KEY_BYTES);
  if (bytes?.toString('latin1', 0, 2) !== KEY_ALGORITHM) throw invalid('The public key is not one of minisign’s.');
  return { id: showKeyId(bytes), text: line, raw: bytes.subarray(HEAD_BYTES) };
}

/** Writes a public key as minisign does. */
export function formatPublicKey(key: PublicKey): string {
  return `untrusted comment: minisign public key ${key.id}\n${key.text}\n`;
}

/**
 * Verifies the signature file `signature` (the text of a .minisig) over `content`. Answers its trusted comment.
 * @throws SpoqError `release_invalid`, which says what does not fit. `name` is what people call the content.
 */
export function verifySignature(name: string, content: Buffer, signature: string, key: PublicKey): string {
  const [untrusted = '', first = '', trusted = '', second = ''] = signature.split(/\r?\n/);
  const bytes = decode(first, HEAD_BYTES + SIGNATURE_BYTES);
  const overall = decode(second, SIGNATURE_BYTES);
  const comment = /^trusted comment: (.*)$/.exec(trusted)?.[1];
  if (
    !untrusted.startsWith('untrusted comment: ') ||
    bytes === undefined ||
    overall === undefined ||
    comment === undefined
  )
    throw invalid(`The signature of ${name} is not one of minisign’s.`);
  if (bytes.toString('latin1', 0, 2) !== HASHED_ALGORITHM)
    throw invalid(`The signature of ${name} is of a kind that Spoq does not make.`);
  if (showKeyId(bytes) !== key.id)
    throw invalid(`${name} is signed with the key ${showKeyId(bytes)}, and only ${key.id} is trusted.`);
  const ed25519 = createPublicKey({ key: Buffer.concat([SPKI_PREFIX, key.raw]), format: 'der', type: 'spki' });
  const made = bytes.subarray(HEAD_BYTES);
  if (!verify(null, digestContent(content), ed25519, made)) throw invalid(`${name} is not what was signed.`);
  if (!verify(null, Buffer.concat([made, Buffer.from(comment)]), ed25519, overall))
    throw invalid(`The comment of ${name}'s signature is not what was signed.`);
  return comment;
}

/** What is signed in place of a file: its BLAKE2b-512 digest. */
export function digestContent(content: Buffer): Buffer {
  return createHash('blake2b512').update(content).digest();
}

/** The key id of the head of a key or signature (2 bytes of algorithm, 8 of id), as minisign shows it. */
export function showKeyId(head: Buffer): string {
  return Buffer.from(head.subarray(2, HEAD_BYTES).toReversed()).toString('hex').toUpperCase();
}

/** Strict base64 of exactly so many bytes; undefined otherwise. */
function decode(line: string, length: number): Buffer | undefined {
  const bytes = Buffer.from(line, 'base64');
  return bytes.length === length && bytes.toString('base64') === line ? bytes : undefined;
}

function invalid(detail: string): SpoqError {
  return new SpoqError('release_invalid', { detail });
}
