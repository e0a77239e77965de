import { createHash } from 'node:crypto';
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
  const pair = ssh2.utils.generateKeyPairSync('ed25519', { comment });
  const publicKey = pair.public.trim();
  const blob = Buffer.from(publicKey.split(' ')[1] ?? '', 'base64');
  return {
    privateKey: pair.private,
    publicKey,
    fingerprint: `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`,
  };
}

/** Outputs of `spoq:index:SshKey`; the private half is a secret whatever the program says. */
export async function createSshKey(comment: string): Promise<{ id: string; outs: Properties }> {
  const { privateKey, publicKey, fingerprint } = await createSshKeyPair(comment);
  return { id: fingerprint, outs: { comment, publicKey, fingerprint, privateKey: secret(privateKey) } };
}
