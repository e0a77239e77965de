import { type BoxSpec, parseBoxSpec } from '../spec.ts';

export const KEYS = {
  hostPrivateKey: '-----BEGIN OPENSSH PRIVATE KEY-----\nhost\n-----END OPENSSH PRIVATE KEY-----\n',
  hostPublicKey: 'ssh-ed25519 AAAAhost alice.spoq.dev',
  controlPublicKey: 'ssh-ed25519 AAAAcontrol control',
};

/** A specification as the control plane would give it. */
export function createSpec(changes: Partial<Record<keyof BoxSpec, unknown>> = {}): BoxSpec {
  return parseBoxSpec({
    stack: 'box-1f0e8a52-9c8d-4a77-8a0d-2d4f5b6c7d8e',
    owner_id: '0b6e3f57-1c1f-4a57-9d0e-6a0b7d3e2f11',
    hostname: 'alice.spoq.dev',
    url: 'https://alice.spoq.dev',
    provider: 'contabo',
    region: 'EU',
    product: 'V153',
    password_crypt: '$6$salt$hash',
    auth: { issuer: 'https://spoq.dev', algorithm: 'RS256', jwks_url: 'https://spoq.dev/.well-known/jwks.json' },
    ai: { provider: 'anthropic' },
    model_keys: { anthropic: 'sk-ant-1' },
    releases: { base_url: 'https://spoq.dev/releases' },
    dns: { zone_id: '0123456789abcdef0123456789abcdef' },
    ...changes,
  });
}
