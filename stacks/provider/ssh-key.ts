import { createHash } from 'node:crypto';
import ssh2 from 'ssh2';
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
export function createSshKeyPair(comment: string): SshKeyPair {
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
export function createSshKey(comment: string): { id: string; outs: Properties } {
  const { privateKey, publicKey, fingerprint } = createSshKeyPair(comment);
  return { id: fingerprint, outs: { comment, publicKey, fingerprint, privateKey: secret(privateKey) } };
}
