import { expect } from 'chai';
import { checkConfiguration } from './check-configuration.ts';
import { VENDORS, chooseVendors } from './vendors.ts';

describe('the choice of vendors', () => {
  it('sandboxes all of them when nothing is set', () => {
    expect(chooseVendors({})).to.deep.equal({ real: [], sandboxed: VENDORS, faults: [] });
    expect(checkConfiguration({}, 4000).sandboxed).to.deep.equal(VENDORS);
  });

  it('makes each vendor real by its own variables', () => {
    const choice = checkConfiguration(
      { ANTHROPIC_API_KEY: 'k', STRIPE_SECRET_KEY: 's', STRIPE_WEBHOOK_SECRET: 'w', HOSTINGER_API_KEY: '' },
      4000,
    );
    expect(choice).to.deep.equal({
      real: ['stripe', 'anthropic'],
      sandboxed: ['github', 'contabo', 'hostinger', 'cloudflare', 'openai'],
      faults: [],
    });
  });

  it('reports half-set groups and faulty values together, each by name', () => {
    const check = (): unknown =>
      checkConfiguration({ STRIPE_SECRET_KEY: 's', GITHUB_CLIENT_ID: 'g', LOG_LEVEL: 'loud' }, 4000);
    expect(check)
      .to.throw()
      .with.property('faults')
      .that.satisfies((faults: { name: string }[]) => {
        expect(faults.map(({ name }) => name)).to.deep.equal([
          'GITHUB_CLIENT_SECRET',
          'LOG_LEVEL',
          'STRIPE_WEBHOOK_SECRET',
        ]);
        return true;
      });
  });

  it('refuses real machines under a name that only the sandbox knows, and the other way round', () => {
    const names = (env: NodeJS.ProcessEnv): string[] => chooseVendors(env).faults.map(({ name }) => name);
    const contabo = {
      CONTABO_CLIENT_ID: 'a',
      CONTABO_CLIENT_SECRET: 'b',
      CONTABO_API_USER: 'c',
      CONTABO_API_PASSWORD: 'd',
    };
    const cloudflare = { CLOUDFLARE_API_TOKEN: 'e', CLOUDFLARE_ZONE_ID: '0'.repeat(32) };
    const own = { BASE_URL: 'https://spoq.example', BOX_DOMAIN: 'boxes.example' };
    expect(names(contabo)).to.deep.equal(['CLOUDFLARE_API_TOKEN', 'CLOUDFLARE_ZONE_ID', 'BASE_URL', 'BOX_DOMAIN']);
    expect(names(cloudflare)).to.deep.equal(['CLOUDFLARE_API_TOKEN']);
    expect(names({ ...contabo, ...cloudflare, ...own })).to.deep.equal([]);
  });
});
