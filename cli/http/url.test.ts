import { expect } from 'chai';
import { joinUrl, parseServiceUrl } from './url.ts';

const parse = (value: string): unknown => {
  try {
    return parseServiceUrl(value, 'SPOQ_URL').href;
  } catch (error) {
    return (error as Error).message;
  }
};

describe('parseServiceUrl', () => {
  for (const url of [
    'https://spoq.dev/',
    'https://alice.spoq.dev:8443/x',
    'http://localhost:4000/',
    'http://alice.spoq.localhost:4009/',
    'http://127.0.0.1/',
    'http://[::1]:80/',
  ]) {
    it(`takes ${url}`, () => expect(parse(url)).to.equal(new URL(url).href));
  }

  for (const url of [
    'http://spoq.dev',
    'http://localhost.evil.example',
    'http://127.0.0.1.nip.io',
    'http://10.0.0.1',
    'http://notlocalhost',
  ]) {
    it(`sends nothing in clear to ${url}`, () => {
      expect(parse(url)).to.equal(`SPOQ_URL is ${url}: spoq sends tokens and files over https only`);
    });
  }

  for (const url of ['spoq.dev', 'ftp://spoq.dev', 'https://user:pass@spoq.dev', '']) {
    it(`refuses ${url || 'nothing'}`, () =>
      expect(parse(url)).to.equal(`SPOQ_URL is not the URL of a service: ${url}`));
  }

  it('joins paths below a base with and without a slash', () => {
    expect(joinUrl(new URL('https://x.dev'), '/a').href).to.equal('https://x.dev/a');
    expect(joinUrl(new URL('https://x.dev/base/'), '/a').href).to.equal('https://x.dev/base/a');
  });
});
