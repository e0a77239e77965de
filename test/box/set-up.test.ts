import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect } from 'chai';
import { BOOT_STEP_NAMES } from '../../contract/boot.ts';
import { createBootWorld, type BootedBox, type BootWorld } from '../harness/boot-world.ts';
import { describeBox, diffTrees, readTree } from '../harness/box-tree.ts';
import { runSsh, type SshAnswer } from '../harness/ssh.ts';

const PASSWORD = 'Sunflower-lake-71';
const CRYPT = '$6$saltsalt$nsGfDIEgZnVnW/AkCEiKEbuCiZDSBD9rKdEJET76U2ul3xz/a5Q7cx75fm1W/AT8oQbKTXKzaDhFC4eN0ZNHD0';

/** What may change while nobody changes anything: what is written down of what happens, and what services keep for themselves. */
const LIVELY = [/^\/var\/log\//, /^\/var\/lib\/caddy\//, /^\/var\/lib\/systemd\//, /^\/var\/tmp\//];
/** What makes each machine itself: its own keys, ids and history. */
const ITS_OWN = [
  ...LIVELY,
  /^\/etc\/machine-id$/,
  /^\/etc\/ssh\/ssh_host_/,
  /^\/etc\/systemd\/network\/10-host0\.network$/,
  // Compared by name, not by number: see describeBox.
  /^\/etc\/(passwd|group|shadow|gshadow|subuid|subgid)-?$/,
  /^\/var\/lib\/cloud\//,
  /^\/var\/lib\/conductor\//,
  /^\/var\/lib\/spoq\//,
  /^\/var\/cache\/ldconfig\//,
  // Hostinger's own, and empty of secrets: what the script said.
  /^\/post_install\.log$/,
];

describe('a box that comes up from an empty machine', function () {
  this.timeout(240_000);
  const folder = mkdtempSync(path.join(tmpdir(), 'spoq-set-up-'));
  let world: BootWorld;
  let contabo: BootedBox;
  let hostinger: BootedBox;

  before(async () => {
    for (const name of ['host', 'control'])
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', path.join(folder, name)]);
    world = await createBootWorld();
    [contabo, hostinger] = await Promise.all([boot('contabo'), boot('hostinger')]);
  });
  after(async () => {
    await world.close();
    rmSync(folder, { recursive: true });
  });

  const read = (name: string): string => readFileSync(path.join(folder, name), 'utf8');
  const boot = async (provider: 'contabo' | 'hostinger', changes = {}): Promise<BootedBox> => {
    const keys = {
      hostPrivateKey: read('host'),
      hostPublicKey: read('host.pub').trim(),
      controlPublicKey: read('control.pub').trim(),
    };
    const box = await world.boot(provider, keys, { password_crypt: CRYPT, ...changes });
    await box.untilSetUp();
    return box;
  };
  const look = async (box: BootedBox, script: string): Promise<string> => {
    const { code, stdout, stderr } = await box.exec(script);
    expect(code, `${script}: ${stderr}${stdout}`).to.equal(0);
    return stdout.trim();
  };

  it('reports every step, in order, also those that could not be sent at once', () => {
    const expected = BOOT_STEP_NAMES.flatMap((step) => [`${step} started`, `${step} done`]);
    // A report whose answer was lost is sent again, as when the firewall begins in the middle of it: the control plane knows it already.
    const once = ({ reports }: BootedBox): string[] => reports.filter((one, at) => one !== reports[at - 1]);
    expect({ contabo: once(contabo), hostinger: once(hostinger) }).to.deep.equal({
      contabo: expected,
      hostinger: expected,
    });
  });

  it('is the same at both vendors: packages, users, ports, firewall, units and files', async () => {
    const [one, other] = await Promise.all([describeBox(contabo), describeBox(hostinger)]);
    expect(one).to.deep.equal(other);
    expect(one.listening.filter((line) => !/ 127\.[0-9.]+(%lo)?:| \[::1\]:/.test(line))).to.deep.equal([
      'tcp *:443 caddy',
      'tcp 0.0.0.0:22 sshd',
      'tcp [::]:22 sshd',
      'udp *:443 caddy',
    ]);
    expect(one.users.filter((line) => line.endsWith(' /bin/bash'))).to.deep.equal([
      'root /root /bin/bash',
      'spoq /home/spoq /bin/bash',
    ]);
    expect(one.passwords.filter((line) => line.endsWith(' P'))).to.deep.equal(['spoq P']);
    expect(one.firewall).to.include.members(['ufw allow 22/tcp', 'ufw allow 443/tcp', 'Status: active']);
    expect(one.firewall.filter((line) => line.startsWith('ufw '))).to.have.lengthOf(2);
    expect(one.names).to.deep.equal(['127.0.1.1 alice.spoq.localhost alice', 'alice', 'alice', 'alice.spoq.localhost']);
    expect(one.failed).to.deep.equal([]);
    const [left, right] = await Promise.all([readTree(contabo), readTree(hostinger)]);
    expect(diffTrees(left, right, ['kind', 'mode', 'owner', 'size', 'content'], ITS_OWN)).to.deep.equal([]);
    expect(left.size).to.be.above(5_000);
  });

  it('changes nothing when it is set up again, and restarts nothing', async () => {
    const pids = 'systemctl show --property=MainPID --value ssh caddy conductor; ufw status numbered';
    const again = async (box: BootedBox, script: string): Promise<void> => {
      const [before, running] = [await readTree(box), await look(box, pids)];
      await look(box, script);
      expect(await look(box, pids)).to.equal(running);
      const fields = ['kind', 'mode', 'owner', 'size', 'mtime', 'content'] as const;
      expect(diffTrees(before, await readTree(box), fields, LIVELY)).to.deep.equal([]);
    };
    await again(contabo, 'bash /usr/local/lib/spoq/setup.sh');
    await again(hostinger, 'bash /usr/local/lib/spoq/setup.sh');
    // The whole of what Hostinger was given, once more: both secrets that it brings are taken away again.
    const script = Buffer.from(hostinger.document).toString('base64');
    const before = await readTree(hostinger);
    await look(hostinger, `echo ${script} | base64 -d | bash`);
    const changed = diffTrees(
      before,
      await readTree(hostinger),
      ['kind', 'mode', 'owner', 'size', 'mtime', 'content'],
      LIVELY,
    );
    expect(changed.map((line) => line.replace(/ [\d.]+, [\d.]+$/, ''))).to.deep.equal(['/var/lib/spoq: mtime']);
  });

  it('keeps what its owner has changed when it is set up again', async () => {
    await look(
      contabo,
      "echo 'spoq:Another-lake-72' | chpasswd; ufw allow 60000:61000/udp; useradd --create-home friend",
    );
    const shadow = await look(contabo, 'getent shadow spoq');
    await look(contabo, 'bash /usr/local/lib/spoq/setup.sh');
    expect(await look(contabo, 'getent shadow spoq')).to.equal(shadow);
    expect(await look(contabo, 'ufw show added')).to.include('ufw allow 60000:61000/udp');
    expect(await look(contabo, 'id --name --user friend')).to.equal('friend');
    await look(
      contabo,
      "echo 'spoq:Sunflower-lake-71' | chpasswd; ufw delete allow 60000:61000/udp; userdel --remove friend",
    );
  });

  it('puts right what has been broken', async () => {
    await look(
      hostinger,
      'rm /usr/local/bin/spoq; ufw delete allow 443/tcp; systemctl stop caddy; echo other > /etc/hostname',
    );
    await look(hostinger, 'bash /usr/local/lib/spoq/setup.sh');
    expect(
      await look(hostinger, 'spoq --version; systemctl is-active caddy; cat /etc/hostname; ufw show added'),
    ).to.match(/^\d\S*\nactive\nalice\n[^]*ufw allow 443\/tcp/);
  });

  it('leaves no secret where others than root can read it', async () => {
    const secrets = [
      CRYPT.slice(12),
      'sk-ant-1',
      'BEGIN OPENSSH PRIVATE KEY',
      contabo.token,
      hostinger.token,
      'SPOQ_FILE',
      'gz+b64',
    ];
    const patterns = secrets.map((secret) => `-e '${secret}'`).join(' ');
    const search = `find /etc /home /opt /root /run /srv /tmp /usr/local /var / -maxdepth 12 -xdev -type f -not -path '/usr/*' -readable -print0 2>/dev/null | xargs -0 grep -lsF ${patterns} --`;
    for (const box of [contabo, hostinger]) {
      const asNobody = await box.exec(`setpriv --reuid nobody --regid nogroup --clear-groups sh -c "${search}"`);
      // setup.sh itself is read by all; so are words of programs that write such keys.
      const found = asNobody.stdout.split('\n').filter((file) => file !== '' && !file.startsWith('/usr/'));
      expect(found).to.deep.equal([]);
      expect(await look(box, 'ls /var/lib/spoq')).not.to.match(/password|boot-token/);
      expect((await box.exec('test -e /post_install')).code).to.equal(1);
      expect((await box.exec(`grep -F ${patterns} /post_install.log /var/log/spoq-setup.log`)).stdout).to.equal('');
    }
    const planted = await contabo.exec(
      `cp /etc/conductor/env /etc/planted; chmod 644 /etc/planted; setpriv --reuid nobody --regid nogroup --clear-groups sh -c "${search}"; rm /etc/planted`,
    );
    expect(planted.stdout).to.include('/etc/planted');
  });

  it('lets connections in on 22 and 443 only', async () => {
    const isOpen = (port: number): Promise<boolean> =>
      new Promise((resolve) => {
        const socket = connect({ host: contabo.address, port, timeout: 1_500 });
        const end = (open: boolean) => () => {
          socket.destroy();
          resolve(open);
        };
        socket.once('connect', end(true)).once('error', end(false)).once('timeout', end(false));
      });
    const ports = [21, 22, 25, 53, 80, 111, 443, 2019, 8080, 8443];
    // Something listens there, so that it is the firewall that says no.
    await look(
      contabo,
      'systemd-run --quiet --unit=listener-80 python3 -m http.server 80; systemd-run --quiet --unit=listener-25 python3 -m http.server 25',
    );
    const open = (await Promise.all(ports.map(async (port) => ((await isOpen(port)) ? [port] : [])))).flat();
    await look(contabo, 'systemctl stop listener-80 listener-25');
    expect(open).to.deep.equal([22, 443]);
  });

  describe('by SSH', () => {
    const ssh = (options: Parameters<typeof runSsh>[2]): Promise<SshAnswer> =>
      runSsh(folder, { address: contabo.address, hostKey: read('host.pub') }, options);

    it('lets spoq in with the password, and says nothing but what was asked for', async () => {
      const answer = await ssh({ password: PASSWORD, command: ['id', '-un'] });
      expect(answer).to.deep.equal({ code: 0, stdout: 'spoq\n', stderr: '' });
      expect(
        (await ssh({ password: PASSWORD, command: ['sudo', '-S', '-p', "''", 'id', '-un'], input: `${PASSWORD}\n` }))
          .stdout,
      ).to.equal('root\n');
    });

    it('welcomes once where there is a terminal of 40 columns', async () => {
      const { stdout } = await ssh({ password: PASSWORD, flags: ['-tt'], command: [], input: 'exit\n' });
      expect(stdout.match(/Welcome to Spoq/g), stdout).to.have.lengthOf(1);
      const [welcome = ''] = stdout.split('spoq@alice');
      expect(welcome.split(/\r?\n/).filter((line) => line.length > 40 && !line.startsWith('Last login'))).to.deep.equal(
        [],
      );
    });

    it('shows the host key that the stack made, and no other', async () => {
      const keys = execFileSync('ssh-keyscan', ['-T', '5', contabo.address], {
        stdio: ['ignore', 'pipe', 'ignore'],
      }).toString();
      const [, type, key] = /^\S+ (\S+) (\S+)\n$/.exec(keys) ?? [];
      expect(`${type} ${key}`).to.equal(read('host.pub').split(' ').slice(0, 2).join(' '));
    });

    it('refuses wrong passwords, root and everybody else', async () => {
      for (const [user, password] of [
        ['spoq', 'wrong'],
        ['root', PASSWORD],
        ['admin', PASSWORD],
        ['conductor', PASSWORD],
      ] as const) {
        const { code, stderr } = await ssh({ user, password, command: ['id'] });
        expect([user, code, /Permission denied/.test(stderr)]).to.deep.equal([user, 255, true]);
      }
    });

    it("lets the stack's own key run commands as root and do nothing else", async () => {
      const root = { user: 'root', identity: path.join(folder, 'control') };
      expect((await ssh({ ...root, command: ['id', '-un'] })).stdout).to.equal('root\n');
      expect((await ssh({ ...root, flags: ['-tt'], command: ['true'] })).stderr).to.include(
        'PTY allocation request failed',
      );
      expect((await ssh({ ...root, flags: ['-W', '127.0.0.1:8080'], command: [] })).stderr).to.match(/prohibited/);
    });

    it('forwards no port, in no direction', async () => {
      const forwards = [
        ['-W', '127.0.0.1:8080'],
        ['-R', '18080:127.0.0.1:22', '-oExitOnForwardFailure=yes'],
      ];
      for (const flags of forwards) {
        const { code, stderr } = await ssh({ password: PASSWORD, flags, command: flags[0] === '-W' ? [] : ['true'] });
        expect([code, /prohibited|forwarding failed/.test(stderr)], stderr).to.deep.equal([255, true]);
      }
      const agent = await ssh({ password: PASSWORD, flags: ['-A'], command: ['echo', '[$SSH_AUTH_SOCK]'] });
      expect(agent.stdout).to.equal('[]\n');
    });

    it('copies files by scp, sftp and rsync, and lets mosh begin', async () => {
      const copied = await ssh({
        password: PASSWORD,
        program: 'scp',
        flags: [path.join(folder, 'host.pub')],
        command: ['copied'],
      });
      expect(copied).to.deep.include({ code: 0 });
      const listed = await ssh({
        password: PASSWORD,
        program: 'sftp',
        flags: [],
        command: [],
        input: 'get copied /dev/null\nls -1\n',
      });
      expect(listed.stdout).to.match(/^copied$/m);
      // What rsync's and mosh's clients would start: one word too many, and they hang up.
      const rsync = await ssh({
        password: PASSWORD,
        command: ['rsync', '--server', '--sender', '-e.LsfxC', '.', '/etc/motd'],
        input: '',
      });
      expect(Buffer.from(rsync.stdout, 'latin1').subarray(1, 4).toString('hex')).to.equal('000000');
      const mosh = await ssh({ password: PASSWORD, command: ['mosh-server', 'new', '-p', '60001', '--', 'true'] });
      expect(mosh.stdout.trim()).to.match(/^MOSH CONNECT 60001 \S{22}$/);
    });

    it('holds one address to a few connections that wait for a password, and no more', async () => {
      const greet = (): Promise<string> =>
        new Promise((resolve) => {
          const socket = connect({ host: contabo.address, port: 22 });
          sockets.push(socket);
          socket.once('data', (bytes) => resolve(bytes.toString()));
          socket.once('error', () => resolve('')).once('close', () => resolve(''));
        });
      const sockets: ReturnType<typeof connect>[] = [];
      const greetings = await Promise.all(Array.from({ length: 9 }, greet));
      sockets.forEach((socket) => socket.destroy());
      expect(greetings.filter((text) => text.startsWith('SSH-2.0-'))).to.have.lengthOf(4);
    });
  });

  it('says which step has failed, with its last lines, and goes no further', async () => {
    // The files are there, with a list of digests beside them; but no digest came with the box, and no other is believed.
    const base_url = `${world.sandbox.credentials['BOX_CONTROL_PLANE_URL']}/releases`;
    const box = await boot('contabo', { releases: { base_url, sha256: {} } });
    expect(box.reports.slice(-2)).to.deep.equal(['programs started', 'programs failed']);
    expect(box.log()).to.match(/\nprograms\nthere is no conductor for \w+$/);
    expect((await box.exec('systemctl is-active conductor')).stdout.trim()).to.equal('inactive');
    // Safe all the same: what came before holds.
    expect(await look(box, 'ufw status')).to.include('Status: active');
  });
});
