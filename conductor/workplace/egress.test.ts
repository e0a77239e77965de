import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createHttps } from 'node:https';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { serve } from '../testing/serve.ts';
import type { TestServer } from '../testing/serve.ts';
import {
  createDial,
  dialAddress,
  EgressError,
  isPublicAddress,
  listOwnAddresses,
  resolveName,
  resolvePublic,
} from './egress.ts';
import { fetchPage } from './fetch-page.ts';
import type { FetchPageDeps } from './fetch-page.ts';

const never = new AbortController().signal;
const kindOf = async (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'done',
    (error: unknown) => (error instanceof EgressError ? `${error.kind}: ${error.message}` : String(error)),
  );

describe('where a run may connect to', () => {
  const refused: Record<string, string[]> = {
    'the metadata address': ['169.254.169.254', 'fd00:ec2::254', 'fe80::a9fe:a9fe'],
    'this machine': ['127.0.0.1', '127.8.8.8', '0.0.0.0', '::1', '::'],
    'this machine, as IPv4 in IPv6': ['::ffff:127.0.0.1', '::ffff:7f00:1', '::127.0.0.1', '::ffff:0:127.0.0.1'],
    'private networks': [
      '10.1.2.3',
      '172.16.0.1',
      '172.31.255.255',
      '192.168.1.1',
      '100.64.0.1',
      'fc00::1',
      'fdff::1',
      '::ffff:10.0.0.1',
    ],
    'a way into IPv4 by NAT64, 6to4 and Teredo': [
      '64:ff9b::7f00:1',
      '64:ff9b::a9fe:a9fe',
      '64:ff9b:1::1',
      '2002:7f00:1::',
      '2001::1',
    ],
    'many, or nobody': [
      '224.0.0.1',
      '255.255.255.255',
      '240.0.0.1',
      'ff02::1',
      '192.0.2.1',
      '198.51.100.1',
      '203.0.113.1',
      '198.18.0.1',
      '2001:db8::1',
      '192.0.0.8',
      '100::1',
    ],
    'what is no address': ['', 'localhost', '1.2.3', '1.2.3.4.5', '1::2::3', '93.184.216.34 '],
    'this machine by its own addresses': listOwnAddresses(),
  };
  for (const [what, addresses] of Object.entries(refused))
    it(`not ${what}`, () => expect(addresses.filter((address) => isPublicAddress(address))).to.deep.equal([]));

  it('the internet', () => {
    const addresses = ['93.184.216.34', '1.1.1.1', '2606:2800:220:1::1', '::ffff:93.184.216.34'];
    expect(addresses.filter((address) => !isPublicAddress(address, []))).to.deep.equal([]);
    expect(isPublicAddress('93.184.216.34', ['::ffff:5db8:d822'])).to.equal(false); // the box's own, written otherwise
  });

  it('not a number or a name that the system takes for this machine', async () => {
    for (const host of ['2130706433', '0x7f000001', '0177.0.0.1', '127.1', '0', 'localhost', '::ffff:127.0.0.1'])
      expect([host, (await kindOf(resolvePublic(host))).split(':')[0]]).to.be.deep.oneOf([
        [host, 'denied'],
        [host, 'failed'], // where the system doesn't take it for anything
      ]);
    expect(await resolveName('127.0.0.1')).to.deep.equal(['127.0.0.1']);
  });

  it('not a name that has one private address among others', async () => {
    const find = (): Promise<string[]> => Promise.resolve(['93.184.216.34', '10.0.0.1']);
    expect(await kindOf(resolvePublic('mixed.test', find))).to.equal(
      'denied: mixed.test is not a host of the internet: runs reach nothing else.',
    );
    expect(await kindOf(resolvePublic('none.test', () => Promise.resolve([])))).to.match(/^denied/);
  });

  it('not a name that answers another address the second time', async () => {
    let asked = 0;
    const rebinding = (): Promise<string[]> => Promise.resolve([(asked += 1) === 1 ? '93.184.216.34' : '127.0.0.1']);
    const said = await kindOf(createDial(rebinding)('rebind.test', 80, AbortSignal.abort()));
    expect(said).to.equal('failed: 93.184.216.34:80 could not be reached (ABORT_ERR).');
    expect(asked).to.equal(1);
  });

  it('tells when nobody is there', async () => {
    expect(await kindOf(dialAddress('127.0.0.1', 1, never))).to.equal(
      'failed: 127.0.0.1:1 could not be reached (ECONNREFUSED).',
    );
    expect(await kindOf(createDial(() => Promise.reject(new Error('no')))('x.test', 80, never))).to.equal(
      'failed: x.test has no address that can be found.',
    );
  });
});

describe('a page that is fetched for a run', () => {
  let server: TestServer;
  let port: string;
  const asked: string[] = [];
  const decided: string[] = [];

  before(async () => {
    server = await serve((req, res) => {
      asked.push(`${req.headers.host}${req.url}`);
      const to = /^\/to\?(.*)$/.exec(req.url ?? '')?.[1];
      if (to !== undefined) return res.writeHead(302, { location: decodeURIComponent(to) }).end();
      if (req.url === '/binary') return res.writeHead(200, { 'content-type': 'application/octet-stream' }).end('x');
      if (req.url === '/large')
        return res.writeHead(200, { 'content-type': 'text/plain' }).end(Buffer.alloc(6_000_000, 'x'));
      if (req.url === '/bomb')
        return res
          .writeHead(200, { 'content-type': 'text/plain', 'content-encoding': 'gzip' })
          .end(gzipSync(Buffer.alloc(60_000_000)));
      if (req.url === '/latin')
        return res.writeHead(200, { 'content-type': 'text/html; charset=latin1' }).end(Buffer.from('é', 'latin1'));
      if (req.url === '/silent') return;
      if (req.url === '/cut')
        return res.writeHead(200, { 'content-length': '100' }).write('x', () => req.socket.destroy());
      return res.writeHead(200, { 'content-type': 'application/json' }).end('{"a": 1}');
    });
    port = new URL(server.url).port;
  });
  after(() => server.close());
  beforeEach(() => {
    asked.length = 0;
    decided.length = 0;
  });

  const deps: FetchPageDeps = {
    decide: (host, at) => {
      decided.push(`${host}:${at}`);
      return Promise.resolve(host === 'denied.test' ? 'deny' : 'allow');
    },
    find: (host) =>
      host.endsWith('.here.test')
        ? Promise.resolve(['127.0.0.1'])
        : resolvePublic(host, (name) => Promise.resolve([name === 'local.test' ? '127.0.0.1' : name])),
  };
  const get = (address: string): Promise<unknown> => fetchPage(deps, address, never);

  it('comes with its status, type and text, through redirects', async () => {
    const to = encodeURIComponent('/page?b');
    expect(await get(`http://a.here.test:${port}/to?${to}#x`)).to.deep.equal({
      url: `http://a.here.test:${port}/page?b`,
      status: 200,
      content_type: 'application/json',
      text: '{"a": 1}',
    });
    expect(asked).to.deep.equal([`a.here.test:${port}/to?${to}`, `a.here.test:${port}/page?b`]);
    expect(await get(`http://a.here.test:${port}/latin`)).to.have.property('text', 'é');
  });

  it('is decided and looked up anew at each hop: a redirect leads neither to this machine nor past the rules', async () => {
    const targets = [
      'http://127.0.0.1:1/',
      'http://[::1]/',
      'http://[::ffff:127.0.0.1]/',
      'http://2130706433/',
      'http://0x7f.1/',
      'http://169.254.169.254/latest',
      'http://local.test/',
      '//10.0.0.1/',
      'http://denied.test/',
      'file:///etc/passwd',
      'gopher://x/',
      'http://me:secret@b.here.test/',
    ];
    for (const target of targets)
      expect([target, await kindOf(get(`http://a.here.test:${port}/to?${encodeURIComponent(target)}`))]).to.satisfy(
        ([, said]: [string, string]) => said.startsWith('denied: '),
        target,
      );
    expect(asked.every((one) => one.startsWith('a.here.test'))).to.equal(true);
    expect(decided).to.include.members(['denied.test:80', '127.0.0.1:1', '::1:80', '169.254.169.254:80']);
  });

  it('is refused when it is not of the internet to begin with', async () => {
    for (const address of [
      'file:///etc/passwd',
      'http://local.test/',
      'http://127.1/',
      'http://[fe80::1]/',
      'ftp://a.here.test/',
      'data:text/plain,x',
    ])
      expect([address, await kindOf(get(address))]).to.satisfy(
        ([, said]: [string, string]) => said.startsWith('denied: '),
        address,
      );
    expect(await kindOf(get('no address'))).to.equal('failed: no address is no address.');
  });

  it('is a text, and has an end', async () => {
    const at = (name: string): Promise<string> => kindOf(get(`http://a.here.test:${port}/${name}`));
    expect(await at('binary')).to.include('is not a text but application/octet-stream');
    expect(await at('large')).to.include('has more than 5242880 bytes');
    expect(await at('bomb')).to.include('has more than 5242880 bytes');
    expect(await at('cut')).to.include('could not be fetched');
    expect(await at(`to?${encodeURIComponent('/to?%2Fto%3Fx')}`)).to.be.a('string');
    let loops = '/x';
    for (let hop = 0; hop < 7; hop += 1) loops = `/to?${encodeURIComponent(loops)}`;
    expect(await kindOf(get(`http://a.here.test:${port}${loops}`))).to.include('leads on more than 5 times');
    expect(await kindOf(fetchPage(deps, `http://a.here.test:${port}/`, AbortSignal.abort()))).to.include(
      'could not be fetched',
    );
  });

  it('is waited for only so long, but as long as it takes for who is asked about it', async () => {
    const timeoutMs = 1000;
    const silent = fetchPage({ ...deps, timeoutMs }, `http://a.here.test:${port}/silent`, never);
    expect(await kindOf(silent)).to.include('could not be fetched');
    const decide: FetchPageDeps['decide'] = async (host) => {
      if (host === 'b.here.test') await sleep(timeoutMs + 100);
      return 'allow';
    };
    const to = encodeURIComponent(`http://b.here.test:${port}/`);
    const page = await fetchPage({ ...deps, decide, timeoutMs }, `http://a.here.test:${port}/to?${to}`, never);
    expect(page.text).to.equal('{"a": 1}');
  });

  it('has the certificate of its name, though its address is dialled', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'spoq-tls-'));
    const file = (name: string): string => path.join(folder, name);
    const flags = [
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-days',
      '2',
      '-subj',
      '/CN=x',
    ];
    execFileSync(
      'openssl',
      ['req', ...flags, '-addext', 'subjectAltName=DNS:a.here.test', '-keyout', file('key'), '-out', file('cert')],
      { stdio: 'ignore' },
    );
    const ca = readFileSync(file('cert'), 'utf8');
    const secure = createHttps({ key: readFileSync(file('key')), cert: ca }, (req, res) =>
      res.end(`for ${req.headers.host}`),
    );
    secure.listen(0, '127.0.0.1');
    await once(secure, 'listening');
    const address = secure.address();
    const at = typeof address === 'object' ? address?.port : 0;
    try {
      expect(await fetchPage({ ...deps, ca }, `https://a.here.test:${at}/`, never)).to.have.property(
        'text',
        `for a.here.test:${at}`,
      );
      expect(await kindOf(fetchPage({ ...deps, ca }, `https://b.here.test:${at}/`, never))).to.include(
        'ERR_TLS_CERT_ALTNAME_INVALID',
      );
      expect(await kindOf(get(`https://a.here.test:${at}/`))).to.include('could not be fetched');
    } finally {
      secure.close();
      secure.closeAllConnections();
      rmSync(folder, { recursive: true });
    }
  });
});
