import type { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { getFromBox, readBox, type World } from './world.ts';
import { check } from './story.ts';
import type { Step } from './story.ts';

/** What may be open on a box. */
const OPEN = [22, 443];
const PORTS = 65_535;
/** Knocks at once; a firewall that drops answers none, so each is given up after a while. */
const AT_ONCE = 4_000;
const KNOCK_MS = 700;

function isOpen(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const settle = (open: boolean): void => {
      socket.destroy();
      resolve(open);
    };
    socket.setTimeout(KNOCK_MS, () => settle(false));
    socket.once('connect', () => settle(true));
    socket.once('error', () => settle(false));
  });
}

async function scan(host: string): Promise<number[]> {
  const open: number[] = [];
  for (let first = 1; first <= PORTS; first += AT_ONCE) {
    const ports = Array.from({ length: Math.min(AT_ONCE, PORTS - first + 1) }, (_, index) => first + index);
    const answers = await Promise.all(ports.map((port) => isOpen(host, port)));
    open.push(...ports.filter((_, index) => answers[index]));
  }
  return open;
}

/** The certificate that a box shows at its own address, checked as any client of its name would. */
function readCertificate(host: string, servername: string, roots: string): Promise<X509Certificate> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ host, port: 443, servername, ca: readFileSync(roots) }, () => {
      const certificate = socket.getPeerX509Certificate();
      socket.destroy();
      if (certificate === undefined) reject(new Error('no certificate was shown'));
      else resolve(certificate);
    });
    socket.once('error', reject);
  });
}

/** What somebody finds who comes from the internet. */
export const OUTSIDE: readonly Step<World>[] = [
  {
    name: 'certificate',
    title: 'The certificate',
    async run(world) {
      const box = await readBox(world);
      const roots = world.run.environment['NODE_EXTRA_CA_CERTS'] ?? '';
      const certificate = await readCertificate(box.ip_address, box.hostname, roots);
      check(certificate.checkHost(box.hostname) !== undefined, `it is for ${certificate.subjectAltName}`);
      const other = await readCertificate(box.ip_address, 'other.spoq.localhost', roots).then(
        () => 'a certificate',
        () => 'none',
      );
      check(other === 'none', `another name got ${other}`);
      return `for ${certificate.subjectAltName?.slice(4)}, by ${/CN=(.*)/.exec(certificate.issuer)?.[1]}`;
    },
  },
  {
    name: 'ports',
    title: 'Every port, from outside',
    async run(world) {
      const { ip_address: address } = await readBox(world);
      const open = await scan(address);
      check(open.join() === OPEN.join(), `open: ${open.join(', ')}`);
      return `${PORTS} knocked at, ${open.join(' and ')} open`;
    },
  },
  {
    name: 'attacks',
    title: 'Without a token',
    async run(world) {
      const { url } = await readBox(world);
      const roots = world.run.environment['NODE_EXTRA_CA_CERTS'];
      const lies: Record<string, string>[] = [
        {},
        { authorization: 'Bearer garbage' },
        { authorization: `Bearer ${Buffer.from('{"alg":"none"}').toString('base64url')}.e30.` },
        { 'x-forwarded-for': '127.0.0.1', forwarded: 'for=127.0.0.1;host=localhost' },
        { 'x-real-ip': '127.0.0.1', 'x-forwarded-host': 'localhost:8080' },
        { origin: world.run.baseUrl },
      ];
      const paths = [
        '/api/status',
        '/api/ask',
        '/api/run',
        '/api/sync',
        '/api/%73tatus',
        '//api/status',
        '/health/../api/status',
      ];
      for (const path of paths)
        for (const headers of lies) {
          const { status } = await getFromBox(`${url}${path}`, roots, headers);
          check([403, 404, 405].includes(status), `${path} with ${JSON.stringify(headers)} answered ${status}`);
        }
      const { status } = await getFromBox(`${url}/api/status`, roots);
      check(status === 403, `/api/status without a token answered ${status}`);
      return `${paths.length * lies.length} requests, none let in`;
    },
  },
];
