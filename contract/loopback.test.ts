import { expect } from 'chai';
import { isLocalhostName, isLoopbackName, isTestAddress } from './loopback.ts';

describe('what is on this machine', () => {
  const names = ['localhost', 'alice.spoq.localhost', 'LOCALHOST.', 'a.Localhost'];
  const addresses = ['127.0.0.1', '127.10.0.254', '[::1]'];
  const others = ['notlocalhost', 'localhost.example', '127.0.0.1.example', '128.0.0.1', '[::2]', '', '127.1'];

  it('is told by name', () => {
    expect([...names, ...addresses, ...others].filter(isLocalhostName)).to.deep.equal(names);
  });

  it('is told by name or address', () => {
    expect([...names, ...addresses, ...others].filter(isLoopbackName)).to.deep.equal([...names, ...addresses]);
  });

  it('knows the addresses of networks for tests', () => {
    const some = ['198.18.0.1', '198.19.255.254', '198.20.0.1', '198.18.0', 'a.198.18.0.1', '198.18.0.1.example'];
    expect(some.filter(isTestAddress)).to.deep.equal(['198.18.0.1', '198.19.255.254']);
  });
});
