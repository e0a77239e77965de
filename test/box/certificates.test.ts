import { execFileSync } from 'node:child_process';
import type { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { connect } from 'node:tls';
import { expect } from 'chai';
import { createBootWorld, type BootedBox, type BootWorld } from '../harness/boot-world.ts';
import { waitFor } from '../harness/wait.ts';

const NAME = 'alice.spoq.localhost';
/** Caddy gets another one when a third of the time is left. */
const CERTIFICATE_SECONDS = 45;
/** After an order that failed Caddy waits for a minute. */
const BACK_OFF_MS = 60_000;

/** Let's Encrypt's own test server, the name server of the sandbox, and a box whose Caddy is left alone but for how often it looks. */
describe('the certificate of a box', function () {
  this.timeout(4 * BACK_OFF_MS);
  const folder = mkdtempSync(path.join(tmpdir(), 'spoq-certificates-'));
  let world: BootWorld;
  let box: BootedBox;

  before(async () => {
    for (const name of ['host', 'control'])
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', path.join(folder, name)]);
    const read = (name: string): string => readFileSync(path.join(folder, name), 'utf8');
    const keys = {
      hostPrivateKey: read('host'),
      hostPublicKey: read('host.pub').trim(),
      controlPublicKey: read('control.pub').trim(),
    };
    world = await createBootWorld({ certificateSeconds: CERTIFICATE_SECONDS });
    const { ACME_DIRECTORY_URL: directory_url = '', ACME_CA_FILE: file = '' } = world.sandbox.credentials;
    box = await world.boot('contabo', keys, { acme: { directory_url, ca_pem: readFileSync(file, 'utf8') } });
    await box.untilSetUp();
  });
  after(async () => {
    await world?.close();
    rmSync(folder, { recursive: true });
  });

  /** The certificate that a client is shown which trusts the authority and asks for `servername`; or why there is none. */
  function meet(servername = NAME): Promise<X509Certificate | string> {
    const ca = readFileSync(world.sandbox.credentials['NODE_EXTRA_CA_CERTS'] ?? '');
    return new Promise((resolve) => {
      const socket = connect({ host: box.address, port: 443, servername, ca }, () => {
        resolve(socket.getPeerX509Certificate() ?? 'no certificate was shown');
        socket.destroy();
      });
      socket.setTimeout(5_000, () => socket.destroy(new Error('no answer')));
      socket.once('error', (error) => resolve(error.message));
    });
  }
  const meetCertificate = (deadlineMs: number): Promise<X509Certificate> =>
    waitFor(
      'a certificate',
      async () => {
        const shown = await meet();
        return typeof shown !== 'string' && shown;
      },
      deadlineMs,
    );
  /** Makes the zone's one record of the name lead to `content`, or away. */
  async function point(content: string | undefined): Promise<void> {
    const { credentials } = world.sandbox;
    const url = `${credentials['CLOUDFLARE_API_URL']}/zones/${credentials['CLOUDFLARE_ZONE_ID']}/dns_records`;
    const headers = {
      authorization: `Bearer ${credentials['CLOUDFLARE_API_TOKEN']}`,
      'content-type': 'application/json',
    };
    const { result } = (await (await fetch(`${url}?name=${NAME}`, { headers })).json()) as { result: { id: string }[] };
    for (const { id } of result) await fetch(`${url}/${id}`, { method: 'DELETE', headers });
    if (content === undefined) return;
    const body = JSON.stringify({ type: 'A', name: NAME, content, ttl: 60 });
    expect((await fetch(url, { method: 'POST', headers, body })).status).to.equal(200);
  }
  const look = async (script: string): Promise<string> => {
    const { code, stdout, stderr } = await box.exec(script);
    expect(code, `${script}: ${stderr}${stdout}`).to.equal(0);
    return stdout.trim();
  };
  const countRefusals = async (): Promise<number> =>
    Number(await look('journalctl -u caddy -o cat | grep -c "could not get certificate from issuer" || :'));

  it('is not there while its name is not, nor while that leads elsewhere; the box is set up all the same', async () => {
    expect(box.reports.at(-1)).to.equal('caddy done');
    expect(await meet()).to.match(/alert|closed|disconnected/);
    await waitFor('the authority to refuse', async () => (await countRefusals()) > 0, BACK_OFF_MS);
    await point('198.51.100.9');
    expect(await meet()).to.match(/alert|closed|disconnected/);
    expect(await countRefusals(), 'an authority counts what it refuses').to.be.below(3);
  });

  it('comes by itself when the name leads there, without anybody', async () => {
    await point(box.address);
    const certificate = await meetCertificate(3 * BACK_OFF_MS);
    expect(certificate.subjectAltName).to.equal(`DNS:${NAME}`);
    expect(certificate.issuer).to.match(/CN=Pebble Intermediate CA/);
    expect(await meet('other.spoq.localhost'), 'another name').to.match(/alert|closed|disconnected/);
    expect(await countRefusals()).to.be.below(4);
  });

  it('is renewed while it is valid, and nobody is refused meanwhile', async () => {
    await look(`sed -i 's/^\\tadmin off$/&\\n\\trenew_interval 1s/' /etc/caddy/Caddyfile && systemctl restart caddy`);
    const first = await meetCertificate(CERTIFICATE_SECONDS * 1000);
    const seen: (X509Certificate | string)[] = [];
    await waitFor(
      'two more certificates',
      async () => {
        seen.push(await meet());
        return new Set(seen.map((one) => (typeof one === 'string' ? one : one.serialNumber))).size >= 3;
      },
      3 * CERTIFICATE_SECONDS * 1000,
    );
    expect(
      seen.filter((one) => typeof one === 'string'),
      'handshakes that failed',
    ).to.deep.equal([]);
    const [last] = seen.slice(-1);
    expect(Date.parse((last as X509Certificate).validTo)).to.be.above(Date.parse(first.validTo));
  });

  it('outlives a restart of Caddy: no other one is ordered', async () => {
    await look(`sed -i '/renew_interval/d' /etc/caddy/Caddyfile && systemctl restart caddy`);
    const before = await meetCertificate(10_000);
    const orders = () => look('grep -rl . /var/lib/caddy --include="*.crt" | xargs stat -c %Y');
    const ordered = await orders();
    await look('systemctl restart caddy');
    const after = await meetCertificate(20_000);
    expect(after.serialNumber).to.equal(before.serialNumber);
    expect(await orders()).to.equal(ordered);
  });
});
