import { createHash } from 'node:crypto';
import type Ssh2 from 'ssh2';
import { type Properties, secret } from './values.ts';

/** An Ed25519 key pair in OpenSSH's own format. */
export interface SshKeyPair {
  privateKey: string;
  /** One line: type, base64, comment. */
  publicKey: string;
  /** As `ssh-keygen -l` shows it: SHA256: and unpadded base64. */
  fingerprint: string;
}

/** Makes a new pair. `comment` ends up in the public key. */
export async function createSshKeyPair(comment: string): Promise<SshKeyPair> {
  // Loaded when needed: every operation starts this plugin, few of them make keys.
  const { default: ssh2 } = await import('ssh2');
  const pair = generateWholePair(ssh2, comment);
  const publicKey = pair.public.trim();
  return {
    privateKey: pair.private,
    publicKey,
    fingerprint: `SHA256:${createHash('sha256').update(readBlob(publicKey)).digest('base64').replace(/=+$/, '')}`,
  };
}

type Pair = ReturnType<typeof Ssh2.utils.generateKeyPairSync>;

/** In SSH's format a public key of Ed25519 is its type and 32 bytes, each after its length (RFC 8709 §4, RFC 4251 §5). */
const BLOB_BYTES = 4 + 'ssh-ed25519'.length + 4 + 32;

/** ssh2 drops zeros that a public key begins with. One pair in 256 comes out such, and no OpenSSH reads it: then another one is made. */
export function generateWholePair({ utils }: Pick<typeof Ssh2, 'utils'>, comment: string): Pair {
  for (;;) {
    const pair = utils.generateKeyPairSync('ed25519', { comment });
    if (readBlob(pair.public).length === BLOB_BYTES) return pair;
  }
}

function readBlob(publicKey: string): Buffer {
  return Buffer.from(publicKey.split(' ')[1] ?? '', 'base64');
}

/** Outputs of `spoq:index:SshKey`; the private half is a secret whatever the program says. */
export async function createSshKey(comment: string): Promise<{ id: string; outs: Properties }> {
  const { privateKey, publicKey, fingerprint } = await createSshKeyPair(comment);
  return { id: fingerprint, outs: { comment, publicKey, fingerprint, privateKey: secret(privateKey) } };
}
