import { expect } from 'chai';
import type { Vendor } from '../../stacks/vendors/vendor.ts';
import { releaseStrays } from './strays.ts';

const NAME = 'box-00000000-0000-4000-8000-000000000001';

/** A vendor that took the script of an order and then refused the order: it has the script, and no machine. */
function createRefusingVendor(): { vendor: Vendor; scripts: Set<string> } {
  const scripts = new Set([NAME, 'box-of-another']);
  const unused = (): never => expect.fail('there is no machine to be asked about');
  const vendor: Vendor = {
    provider: 'hostinger',
    label: 'Hostinger',
    find: async () => [],
    list: async () => [],
    get: unused,
    buy: unused,
    finish: unused,
    rename: unused,
    wipe: unused,
    stop: unused,
    restart: unused,
    reinstall: unused,
    endRenewal: unused,
    tidy: async (name) => void scripts.delete(name),
  };
  return { vendor, scripts };
}

describe('strays of a stack', () => {
  it('leaves no script with secrets at a vendor that refused the order', async () => {
    const { vendor, scripts } = createRefusingVendor();
    const given = await releaseStrays({ vendor, stack: NAME, seen: [], pollMs: 1, deadlineMs: 1000, options: {} });
    expect(given).to.deep.equal([]);
    expect([...scripts]).to.deep.equal(['box-of-another']);
  });
});
