import { expect } from 'chai';
import { isIP } from 'node:net';
import * as fc from 'fast-check';
import { createAddressFinder, parseProxies } from './client-address.ts';

const PROXIES = parseProxies('10.0.0.0/8, 192.0.2.7 ::1,2001:db8:ffff::/48');

describe('who sent a request', () => {
  for (const [what, peer, forwardedFor, sender] of [
    ['nobody stands between', '203.0.113.9', '', '203.0.113.9'],
    ['a stranger claims to be somebody', '203.0.113.9', '198.51.100.1', '203.0.113.9'],
    ['a stranger claims to be a proxy of ours', '203.0.113.9', '10.0.0.1', '203.0.113.9'],
    ['one proxy', '10.1.2.3', '203.0.113.9', '203.0.113.9'],
    ['one proxy, and a lie before it', '10.1.2.3', '198.51.100.1, 203.0.113.9', '203.0.113.9'],
    ['three proxies', '::1', '203.0.113.9, 10.0.0.1,192.0.2.7', '203.0.113.9'],
    ['a lie that names a proxy of ours', '::1', '10.9.9.9, 203.0.113.9, 10.0.0.1', '203.0.113.9'],
    ['only proxies', '10.0.0.1', '10.0.0.2', '10.0.0.2'],
    ['a proxy that says nothing', '10.0.0.1', '', '10.0.0.1'],
    ['a proxy on an IPv6 socket', '::ffff:10.0.0.1', '::ffff:203.0.113.9', '203.0.113.9'],
    ['an address just outside', '192.0.2.8', '203.0.113.9', '192.0.2.8'],
    ['IPv6', '2001:db8:ffff::2', '2001:db8:1::9', '2001:db8:1::9'],
    ['ports', '10.0.0.1', '198.51.100.1:80, [2001:db8:1::9]:443', '2001:db8:1::9'],
    ['a port and no address', '10.0.0.1', '203.0.113.9, unknown', '10.0.0.1'],
    ['an empty entry', '10.0.0.1', '203.0.113.9,', '10.0.0.1'],
    ['something that is no address', '10.0.0.1', "'; DROP TABLE users --", '10.0.0.1'],
    ['no socket any more', '', '203.0.113.9', ''],
  ] as const)
    it(`is found: ${what}`, () => expect(createAddressFinder(PROXIES)(peer, forwardedFor)).to.equal(sender));

  it('is the peer whatever it says, where no proxy is trusted', () => {
    const find = createAddressFinder([]);
    fc.assert(fc.property(fc.string(), (text) => find('203.0.113.9', text) === '203.0.113.9'));
  });

  it('is an address whatever a proxy passes on', () => {
    const find = createAddressFinder(['0.0.0.0/0', '::/0']);
    const entry = fc.oneof(
      fc.string(),
      fc.ipV4(),
      fc.ipV6(),
      fc.constantFrom('[', ']:1', '%', '::ffff:', '1.2.3.4:99999'),
    );
    fc.assert(fc.property(fc.array(entry), (entries) => isIP(find('10.0.0.1', entries.join(','))) !== 0));
  });

  for (const entry of ['10.0.0.0/33', '::/129', 'proxy.internal', '10.0.0', '10.0.0.0/8/8', '1', '/8', '-'])
    it(`takes no ${entry} for a proxy`, () =>
      expect(() => parseProxies(`::1, ${entry}`)).to.throw(`${entry} is neither an address nor a range`));
});
