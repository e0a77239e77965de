import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { connect, type PeerCertificate } from 'node:tls';
import { expect } from 'chai';
import { loadTemplates } from '../../stacks/templates.ts';
import { type BootedBox, type BootOptions, type BootWorld, createBootWorld } from '../harness/boot-world.ts';
import { waitFor } from '../harness/wait.ts';

const CERTIFICATE_MS = 20_000;
/** Caddy renews when a third of it is left. */
const SHORT_LIFE_SECONDS = 45;
const OBTAINED = 'certificate obtained successfully';

describe('the certificate of a box', function () {
  this.timeout(240_000);
  const folder = mkdtempSync(path.join(tmpdir(), 'spoq-certificates-'));
  before(() => {
    for (const name of ['host', 'control'])
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', path.join(folder, name)]);
  });
  after(() => rmSync(folder, { recursive: true }));

  const read = (name: string): string => readFileSync(path.join(folder, name), 'utf8').trim();
  const boot = (world: BootWorld, name: string, options: BootOptions = {}): Promise<BootedBox> => {
    const keys = {
      hostPrivateKey: read('host'),
      hostPublicKey: read('host.pub'),
      controlPublicKey: read('control.pub'),
    };
    const hostname = nameOf(name);
    return world.boot('contabo', keys, { hostname, url: `https://${hostname}` }, options);
  };
  const look = async (box: BootedBox, script: string): Promise<string> => {
    const { code, stdout, stderr } = await box.exec(script);
    expect(code, `${script}: ${stderr}${stdout}`).to.equal(0);
    return stdout.trim();
  };
  /** What a client that trusts the authority's roots is shown; rejects where it is not to be trusted. */
  const greet = (world: BootWorld, box: BootedBox, name: string): Promise<PeerCertificate> =>
    new Promise((resolve, reject) => {
      const ca = readFileSync(world.sandbox.credentials['NODE_EXTRA_CA_CERTS'] ?? '');
      const socket = connect({ host: box.address, port: 443, servername: nameOf(name), ca, timeout: 5_000 });
      socket.once('secureConnect', () => {
        resolve(socket.getPeerCertificate());
        socket.destroy();
      });
      socket.once('error', reject).once('timeout', () => socket.destroy(new Error('nothing within 5 s')));
    });
  const untilCertified = (world: BootWorld, box: BootedBox, name: string): Promise<PeerCertificate> =>
    waitFor(`the certificate of ${name}`, () => greet(world, box, name), CERTIFICATE_MS);
  /** How often Caddy has had a certificate, and all that went wrong. */
  const journal = async (box: BootedBox): Promise<{ obtained: number; errors: string[] }> => {
    const lines = (await look(box, 'journalctl --unit caddy --output cat --no-pager')).split('\n');
    return {
      obtained: lines.filter((line) => line.includes(OBTAINED)).length,
      errors: lines.filter((line) => line.includes('"level":"error"')),
    };
  };

  describe('that lasts', () => {
    let world: BootWorld;
    let alice: BootedBox;
    before(async () => {
      world = await createBootWorld();
      alice = await boot(world, 'alice');
      await alice.untilSetUp();
    });
    after(() => world?.close());

    it('is of its name alone, by the one order that was made', async () => {
      const { subjectaltname } = await untilCertified(world, alice, 'alice');
      expect(subjectaltname).to.equal(`DNS:${nameOf('alice')}`);
      await greet(world, alice, 'bob').then(
        () => expect.fail('it serves another name'),
        (error: NodeJS.ErrnoException) => expect(error.code).to.match(/^ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR$/),
      );
      expect(await journal(alice)).to.deep.equal({ obtained: 1, errors: [] });
    });

    it('is kept when Caddy restarts, when the box is set up again without its name, and when the machine restarts', async () => {
      const { serialNumber } = await untilCertified(world, alice, 'alice');
      await look(alice, 'systemctl restart caddy');
      expect((await untilCertified(world, alice, 'alice')).serialNumber).to.equal(serialNumber);
      await look(alice, 'echo "nameserver 192.0.2.9" > /etc/resolv.conf; bash /usr/local/lib/spoq/setup.sh');
      const bootId = 'cat /proc/sys/kernel/random/boot_id';
      const former = await look(alice, bootId);
      await look(alice, 'systemctl reboot');
      await waitFor('the machine to boot', async () => (await look(alice, bootId)) !== former, 60_000);
      expect((await untilCertified(world, alice, 'alice')).serialNumber).to.equal(serialNumber);
      expect(await journal(alice)).to.deep.equal({ obtained: 1, errors: [] });
    });

    it('is asked for when the name is there, and not before', async () => {
      const carol = await boot(world, 'carol', { record: null });
      const log = (): Promise<string> => look(carol, 'cat /var/log/spoq-setup.log');
      await waitFor('it to wait', async () => (await log()).includes('has no address yet'), 120_000);
      expect((await carol.exec('systemctl is-active caddy')).stdout.trim()).to.equal('inactive');
      await world.point(nameOf('carol'), carol.address);
      await untilCertified(world, carol, 'carol');
      await carol.untilSetUp();
      expect(
        (await log()).split('\n').filter((line) => line.startsWith('waiting') || / leads /.test(line)),
      ).to.deep.equal([`waiting, since ${nameOf('carol')} has no address yet`, `${nameOf('carol')} leads here`]);
      expect(await journal(carol)).to.deep.equal({ obtained: 1, errors: [] });
    });

    it('is not to be had for a name that leads to another machine, which the set-up says and does not fail for', async () => {
      const templates = loadTemplates();
      const impatient = templates['setup.sh'].replace('conductor name --wait 600', 'conductor name --wait 2');
      expect(impatient).not.to.equal(templates['setup.sh']);
      const options = { record: alice.address, templates: { ...templates, 'setup.sh': impatient } };
      const dave = await boot(world, 'dave', options);
      await dave.untilSetUp();
      expect(dave.reports.slice(-2)).to.deep.equal(['caddy started', 'caddy done']);
      const log = await look(dave, 'cat /var/log/spoq-setup.log');
      expect(log).to.include(
        `${nameOf('dave')} leads to ${alice.address}, which is not this machine (${dave.address})`,
      );
      expect(log).to.include('Caddy begins all the same, and goes on trying to get its certificate');
      await waitFor('Caddy to have been refused', async () => (await journal(dave)).errors.length > 0);
      expect((await journal(dave)).obtained).to.equal(0);
      await greet(world, dave, 'dave').then(
        () => expect.fail('it has a certificate'),
        (error: NodeJS.ErrnoException) => expect(error.code).to.equal('ERR_SSL_TLSV1_ALERT_INTERNAL_ERROR'),
      );
    });
  });

  it('is renewed by Caddy in time, and valid at each moment', async () => {
    const world = await createBootWorld({ certificateSeconds: SHORT_LIFE_SECONDS });
    try {
      const box = await boot(world, 'erin');
      await box.untilSetUp();
      // It looks every ten minutes: enough for certificates of 90 days.
      await look(
        box,
        "sed -i 's/^\\tadmin off$/&\\n\\trenew_interval 1s/' /etc/caddy/Caddyfile; systemctl restart caddy",
      );
      const { serialNumber } = await untilCertified(world, box, 'erin');
      let greetings = 0;
      const next = async (): Promise<PeerCertificate | undefined> => {
        const shown = await greet(world, box, 'erin').catch((cause: unknown) => {
          gaps.push(String(cause));
        });
        greetings += 1;
        return shown && shown.serialNumber !== serialNumber ? shown : undefined;
      };
      const gaps: string[] = [];
      const renewed = await waitFor('another certificate', next, 2 * SHORT_LIFE_SECONDS * 1_000);
      expect(gaps).to.deep.equal([]);
      expect(greetings).to.be.above(10);
      expect(renewed.subjectaltname).to.equal(`DNS:${nameOf('erin')}`);
    } finally {
      await world.close();
    }
  });
});

function nameOf(label: string): string {
  return `${label}.spoq.localhost`;
}
