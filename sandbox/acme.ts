import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { get } from 'node:https';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { run } from './machines/nspawn/run.ts';

export interface AcmeOptions {
  /** Let's Encrypt's test server, Pebble. */
  pebble: string;
  /** A system with OpenSSL in it. */
  tree: string;
  folder: string;
  /** The address that machines find it at, and the name server it asks where they are. */
  host: string;
  /** How long certificates are valid; default Pebble's own, years. */
  certificateSeconds: number | undefined;
  log: Logger;
}

/** A certificate authority as Let's Encrypt is one. */
export interface Acme {
  directoryUrl: string;
  /** PEM file of what the directory's own certificate is to be trusted by. */
  serverCaFile: string;
  /** PEM file of the roots of all certificates it has given out, in former runs too. */
  rootsFile: string;
  close(): Promise<void>;
}

const PORT = 14_000;
const READY_MS = 15_000;

/**
 * Starts Pebble. It makes new roots with every start, so those of former runs are kept: a box goes on with the certificate it has
 * until it is renewed.
 */
export async function startAcme({ pebble, tree, folder, host, log, ...options }: AcmeOptions): Promise<Acme> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const [certificate, key] = [join(folder, `server-${host}.pem`), join(folder, `server-${host}.key`)];
  if (!existsSync(certificate)) await makeCertificate(tree, host, certificate, key);
  const managementPort = PORT + 1;
  const config = {
    listenAddress: `${host}:${PORT}`,
    managementListenAddress: `${host}:${managementPort}`,
    certificate,
    privateKey: key,
    httpPort: 80,
    tlsPort: 443,
    ocspResponderURL: '',
    externalAccountBindingRequired: false,
    certificateValidityPeriod: options.certificateSeconds,
  };
  const configFile = join(folder, 'pebble.json');
  writeFileSync(configFile, JSON.stringify({ pebble: config }));
  const child = spawn(
    '/usr/bin/setpriv',
    ['--pdeathsig', 'KILL', pebble, '-config', configFile, '-dnsserver', `${host}:53`],
    {
      // Its pauses and random refusals are for those who test clients of ACME.
      env: { PEBBLE_VA_NOSLEEP: '1', PEBBLE_WFE_NONCEREJECT: '0' },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => log.debug({ pebble: text.trim() }, 'acme'));
  const close = (): Promise<void> => end(child);
  try {
    const root = await readRoot(`https://${host}:${managementPort}/roots/0`, certificate, child);
    const rootsFile = join(folder, 'roots.pem');
    const known = existsSync(rootsFile) ? readFileSync(rootsFile, 'utf8') : '';
    // Whole or not at all: without a former root no box of a former run is trusted any more.
    writeFileSync(`${rootsFile}.new`, known + root);
    renameSync(`${rootsFile}.new`, rootsFile);
    return { directoryUrl: `https://${host}:${PORT}/dir`, serverCaFile: certificate, rootsFile, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function makeCertificate(tree: string, host: string, certificate: string, key: string): Promise<void> {
  const subject = ['-subj', '/CN=ACME server of a Spoq sandbox', '-addext', `subjectAltName=IP:${host}`];
  const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc', '-days', '3650'];
  const pem = await run('chroot', [tree, 'openssl', ...request, ...subject, '-keyout', '-']);
  const [, keyPem, certificatePem] =
    /(-----BEGIN PRIVATE[^]*?-----END PRIVATE KEY-----\n)[^]*?(-----BEGIN CERT[^]*)/.exec(pem) ?? [];
  if (keyPem === undefined || certificatePem === undefined) throw new Error('OpenSSL made no certificate');
  writeFileSync(key, keyPem, { mode: 0o600 });
  writeFileSync(certificate, certificatePem);
}

/** The root of what this start gives out, once it answers. */
async function readRoot(url: string, caFile: string, child: ChildProcess): Promise<string> {
  const ca = readFileSync(caFile);
  for (const until = Date.now() + READY_MS; Date.now() < until; await sleep(50)) {
    if (child.exitCode !== null || child.signalCode !== null) break;
    const answer = await fetchText(url, ca);
    if (answer?.includes('BEGIN CERTIFICATE')) return answer;
  }
  throw new Error(`The sandbox's certificate authority (${child.spawnfile}) did not start`);
}

function fetchText(url: string, ca: Buffer): Promise<string | undefined> {
  return new Promise((resolve) => {
    get(url, { ca, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve(text));
    }).on('error', () => resolve(undefined));
  });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
  });
  child.kill('SIGTERM');
  await gone;
}
