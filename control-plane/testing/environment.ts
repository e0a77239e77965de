import { randomBytes } from 'node:crypto';

/** What a control plane needs to start: all that has no default, with vendors that nobody reaches. */
export function createTestEnvironment(databaseUrl: string): Record<string, string> {
  return {
    DATABASE_URL: databaseUrl,
    BASE_URL: 'http://localhost:4000',
    BOX_DOMAIN: 'spoq.localhost',
    ENCRYPTION_KEY: randomBytes(32).toString('base64'),
    GITHUB_CLIENT_ID: 'client',
    GITHUB_CLIENT_SECRET: 'secret',
    STRIPE_SECRET_KEY: 'sk_test_1',
    STRIPE_WEBHOOK_SECRET: 'whsec_1',
    STRIPE_API_URL: 'http://127.0.0.1:9',
    CONTABO_CLIENT_ID: 'client',
    CONTABO_CLIENT_SECRET: 'secret',
    CONTABO_API_USER: 'user',
    CONTABO_API_PASSWORD: 'password',
    CLOUDFLARE_API_TOKEN: 'token',
    CLOUDFLARE_ZONE_ID: '0'.repeat(32),
    ANTHROPIC_API_KEY: 'sk-ant-1',
    PULUMI_CONFIG_PASSPHRASE: 'passphrase',
  };
}
