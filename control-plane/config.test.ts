import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { expect } from 'chai';
import { ConfigError, VARIABLES, listConfigWarnings, loadConfig } from './config.ts';

const complete = {
  DATABASE_URL: 'postgres://spoq:pg-secret@db.example/spoq',
  BASE_URL: 'https://spoq.dev/',
  BOX_DOMAIN: 'spoq.dev',
  ENCRYPTION_KEY: Buffer.alloc(32, 7).toString('base64'),
  GITHUB_CLIENT_ID: 'id',
  GITHUB_CLIENT_SECRET: 'github-secret',
  STRIPE_SECRET_KEY: 'sk_live_secret',
  STRIPE_WEBHOOK_SECRET: 'whsec_secret',
  CONTABO_CLIENT_ID: 'client',
  CONTABO_CLIENT_SECRET: 'contabo-secret',
  CONTABO_API_USER: 'user@example.com',
  CONTABO_API_PASSWORD: 'contabo-password-secret',
  CLOUDFLARE_API_TOKEN: 'cloudflare-secret',
  CLOUDFLARE_ZONE_ID: '0123456789abcdef0123456789abcdef',
  ANTHROPIC_API_KEY: 'anthropic-secret',
  PULUMI_CONFIG_PASSPHRASE: 'passphrase-secret',
  SMTP_URL: 'smtps://spoq:mail-secret@mail.example.com',
  RELEASES_PUBLIC_KEY: 'RWQSpxsCSKdZs8qlVx1A4CNrvjllNy99yWQeQnhZTvwGi3gniGuovIXb',
  SPOQ_ENV: 'production',
};

function faultsOf(env: Record<string, string | undefined>): Record<string, string> {
  try {
    loadConfig(env);
  } catch (error) {
    if (error instanceof ConfigError)
      return Object.fromEntries(error.faults.map((fault) => [fault.name, fault.message]));
    throw error;
  }
  return {};
}

describe('loadConfig', () => {
  it('accepts a complete production environment and derives what follows from it', () => {
    const config = loadConfig(complete);
    expect(config.BASE_URL).to.equal('https://spoq.dev');
    expect(config.GITHUB_REDIRECT_URI).to.equal('https://spoq.dev/auth/github/callback');
    expect(config.PULUMI_BACKEND_URL.reveal()).to.equal(complete.DATABASE_URL);
    expect(config.BOX_CONTROL_PLANE_URL).to.equal('https://spoq.dev');
    expect(faultsOf({ ...complete, BOX_CONTROL_PLANE_URL: 'http://inside.spoq.dev' })).to.deep.equal({
      BOX_CONTROL_PLANE_URL: 'is not https, and SPOQ_ENV is production',
    });
    expect(config.BOX_URL_TEMPLATE).to.equal('https://{hostname}');
  });

  it('reports everything that is missing at once, by name', () => {
    expect(faultsOf({})).to.deep.equal({
      ANTHROPIC_API_KEY: 'is not set, and boxes ask this model provider',
      BASE_URL: 'is not set',
      BOX_DOMAIN: 'is not set',
      CLOUDFLARE_API_TOKEN: 'is not set',
      CLOUDFLARE_ZONE_ID: 'is not set',
      CONTABO_API_PASSWORD: 'is not set, and VPS_PROVIDER is contabo',
      CONTABO_API_USER: 'is not set, and VPS_PROVIDER is contabo',
      CONTABO_CLIENT_ID: 'is not set, and VPS_PROVIDER is contabo',
      CONTABO_CLIENT_SECRET: 'is not set, and VPS_PROVIDER is contabo',
      DATABASE_URL: 'is not set',
      ENCRYPTION_KEY: 'is not set',
      GITHUB_CLIENT_ID: 'is not set',
      GITHUB_CLIENT_SECRET: 'is not set',
      PULUMI_CONFIG_PASSPHRASE: 'is not set',
      STRIPE_SECRET_KEY: 'is not set',
      STRIPE_WEBHOOK_SECRET: 'is not set',
    });
  });

  it('names malformed values without repeating them', () => {
    const faults = faultsOf({
      ...complete,
      ENCRYPTION_KEY: 'short-secret',
      SERVER_PORT: 'eighty',
      BASE_URL: 'spoq.dev',
      DATABASE_URL: 'mysql://u:db-secret@h/d',
    });
    expect(Object.keys(faults)).to.deep.equal(['BASE_URL', 'DATABASE_URL', 'ENCRYPTION_KEY', 'SERVER_PORT']);
    expect(JSON.stringify(faults)).not.to.match(/short-secret|db-secret/);
  });

  it('refuses a half-given vendor', () => {
    expect(
      faultsOf({ ...complete, VPS_PROVIDER: 'hostinger', HOSTINGER_API_KEY: 'k', CONTABO_API_PASSWORD: undefined }),
    ).to.deep.equal({
      CONTABO_API_PASSWORD: "is not set, though the rest of contabo's variables are",
    });
    expect(faultsOf({ ...complete, VPS_PROVIDER: 'hostinger' })).to.deep.equal({
      HOSTINGER_API_KEY: 'is not set, and VPS_PROVIDER is hostinger',
    });
  });

  it('lets nothing point to this machine in production, nor go over plain http', () => {
    expect(
      faultsOf({
        ...complete,
        STRIPE_API_URL: 'http://127.0.0.1:4002',
        GITHUB_URL: 'http://github.example',
        BOX_URL_TEMPLATE: 'http://{hostname}:4009',
        BOX_DOMAIN: 'spoq.localhost',
      }),
    ).to.deep.equal({
      BOX_DOMAIN: 'is a .localhost name, and SPOQ_ENV is production',
      BOX_URL_TEMPLATE: 'is not https, and SPOQ_ENV is production',
      GITHUB_URL: 'is not https, and SPOQ_ENV is production',
      STRIPE_API_URL: 'points to this machine, and SPOQ_ENV is production',
    });
  });

  it('wants to know in production whose releases count, and a key that is one everywhere', () => {
    expect(faultsOf({ ...complete, RELEASES_PUBLIC_KEY: undefined })).to.deep.equal({
      RELEASES_PUBLIC_KEY: 'is not set, and SPOQ_ENV is production',
    });
    const unset = { ...complete, SPOQ_ENV: 'sandbox', RELEASES_PUBLIC_KEY: undefined };
    expect(faultsOf(unset)).to.deep.equal({});
    expect(faultsOf({ ...unset, RELEASES_PUBLIC_KEY: 'RWQ=' })).to.deep.equal({
      RELEASES_PUBLIC_KEY: 'is not a public key of minisign',
    });
  });

  it('takes a list of proxies, names the entry that is none, and tells who still counts hops', () => {
    const config = loadConfig({ ...complete, TRUSTED_PROXIES: '10.0.0.0/8, ::1' });
    expect(config.TRUSTED_PROXIES).to.deep.equal(['10.0.0.0/8', '::1']);
    expect(faultsOf({ ...complete, TRUSTED_PROXIES: '10.0.0.0/40', TRUSTED_PROXY_HOPS: '1' })).to.deep.equal({
      TRUSTED_PROXIES: '10.0.0.0/40 is neither an address nor a range',
      TRUSTED_PROXY_HOPS: 'is not read any more: name your proxies in TRUSTED_PROXIES',
    });
  });

  it('warns in production of a proxy that is not named', () => {
    const warn = (env: Record<string, string>) => listConfigWarnings(loadConfig({ ...complete, ...env }));
    expect(warn({}))
      .to.have.length(1)
      .and.match(/^TRUSTED_PROXIES is not set/);
    expect(warn({ TRUSTED_PROXIES: '::1' })).to.deep.equal([]);
    expect(warn({ SPOQ_ENV: 'sandbox', BASE_URL: 'http://localhost:4000' })).to.deep.equal([]);
  });

  it('shows no secret when the configuration is printed', () => {
    const config = loadConfig(complete);
    for (const printed of [JSON.stringify(config), inspect(config, { depth: 9 }), `${config.STRIPE_SECRET_KEY}`])
      expect(printed).not.to.match(/-secret|sk_live|whsec_|pg-secret/);
  });

  it('is described in docs/operations.md, variable by variable', () => {
    const table = readFileSync(new URL('../docs/operations.md', import.meta.url), 'utf8');
    const described = new Set([...table.matchAll(/`([A-Z][A-Z0-9_]+)`/g)].map((match) => match[1]));
    expect(VARIABLES.filter((name) => !described.has(name))).to.deep.equal([]);
  });
});
