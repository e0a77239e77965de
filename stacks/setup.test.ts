import { expect } from 'chai';
import { execFile, execFileSync } from 'node:child_process';
import { chmod, chown, cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { BOOT_STEP_NAMES } from '../contract/boot.ts';
import { KEEP_KEYS_PATH, listBoxFiles, SETUP_PATH } from './box-files.ts';
import { loadTemplates } from './templates.ts';
import { runUnpacked, unpackPackages } from './testing/packages.ts';
import { createSpec, KEYS } from './testing/specs.ts';

const run = promisify(execFile);
const NOBODY = 65_534;

/** The programs that the files of a box are for read them, as they are given to a machine. */
describe('the files of a box', function () {
  this.timeout(180_000);
  let folder: string;
  const files = Object.fromEntries(
    listBoxFiles(
      createSpec({ report: { url: 'https://spoq.dev/api/boot/reports', token: 't'.repeat(43) } }),
      KEYS,
      loadTemplates(),
    ).map(({ path, content }) => [path, content]),
  );
  const read = (path: string): string => files[path] ?? expect.fail(`there is no ${path}`);
  const write = async (name: string, content: string): Promise<string> => {
    const file = join(folder, name);
    await writeFile(file, content);
    return file;
  };
  const failure = async (work: Promise<unknown>): Promise<string> =>
    work.then(
      () => expect.fail('it was accepted'),
      (error: Error & { stdout?: string }) => error.message + (error.stdout ?? ''),
    );
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'spoq-files-'));
    await chmod(folder, 0o755);
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it('have a setup.sh whose steps are those that the page knows', () => {
    const [, steps = ''] = /^for current in (.*); do$/m.exec(read(SETUP_PATH)) ?? [];
    expect(steps.split(' ')).to.deep.equal(BOOT_STEP_NAMES);
    const functions = [...read(SETUP_PATH).matchAll(/^step_(\w+)\(\)/gm)].map(([, name]) => name);
    expect(functions).to.deep.equal(BOOT_STEP_NAMES);
  });

  it('have scripts that bash reads and shellcheck finds nothing in', async function () {
    const script = await write('setup.sh', read(SETUP_PATH));
    const keeper = await write('keep-keys.sh', read(KEEP_KEYS_PATH));
    const launcher = await write('launch-work.sh', read('/usr/local/lib/spoq/launch-work.sh'));
    execFileSync('bash', ['-n', script]);
    execFileSync('bash', ['-n', keeper]);
    execFileSync('bash', ['-n', launcher]);
    const shellcheck = await unpackPackages(process.env, 'shellcheck', ['shellcheck', 'libffi8', 'libgmp10']);
    if (shellcheck === undefined) return this.skip();
    const check = (file: string) => runUnpacked(shellcheck, 'usr/bin/shellcheck', ['--severity=style', file]);
    expect(await check(script)).to.equal('');
    expect(await check(keeper)).to.equal('');
    expect(await check(launcher)).to.equal('');
    const planted = await write('planted.sh', '#!/bin/bash\nrm -rf $1\n');
    expect(await failure(check(planted))).to.include('SC2086');
  });

  it('keep setup.conf apart from what a shell would run', () => {
    const say = 'printf "%s %s %s" "$SPOQ_HOSTNAME" "$SPOQ_RELEASES_URL" "$SPOQ_REPORT_URL"';
    expect(execFileSync('sh', ['-c', `${read('/usr/local/lib/spoq/setup.conf')}${say}`]).toString()).to.equal(
      'alice.spoq.dev https://spoq.dev/releases https://spoq.dev/api/boot/reports',
    );
    const quiet = listBoxFiles(createSpec(), KEYS, loadTemplates());
    expect(quiet.find(({ path }) => path.endsWith('setup.conf'))?.content).to.include("SPOQ_REPORT_URL=''\n");
    expect(quiet.map(({ path }) => path)).not.to.include('/var/lib/spoq/boot-token');
    expect(read('/var/lib/spoq/boot-token')).to.equal(`Authorization: Bearer ${'t'.repeat(43)}\n`);
  });

  it("let sshd in whom they should, whatever the image's own configuration says after them", async function () {
    const cached = await unpackPackages(process.env, 'sshd', ['openssh-server', 'libwrap0', 'libnsl2', 'libtirpc3']);
    if (cached === undefined) return this.skip();
    // A cache in root's home is closed to the account that asks below.
    const sshd = join(folder, 'sshd');
    await cp(cached, sshd, { recursive: true, verbatimSymlinks: true });
    const own = join(folder, 'ssh');
    await mkdir(own, { mode: 0o700 });
    const key = join(own, 'host');
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
    // sshd of root wants an account of its own, which a machine that has no sshd lacks.
    const isRoot = process.getuid?.() === 0;
    if (isRoot) for (const file of [own, key]) await chown(file, NOBODY, NOBODY);
    const who = isRoot ? { uid: NOBODY, gid: NOBODY } : {};
    const ours = read('/etc/ssh/sshd_config.d/10-spoq.conf').replace('/etc/ssh/spoq_host_ed25519_key', key);
    const vendors = 'PasswordAuthentication yes\nPermitRootLogin yes\nAllowTcpForwarding yes\nX11Forwarding yes\n';
    const config = await write('sshd_config', `Include ${await write('10-spoq.conf', ours)}\n${vendors}`);
    const ask = async (user: string): Promise<Record<string, string>> => {
      const args = ['-T', '-f', config, '-C', `user=${user},host=x,addr=192.0.2.1`];
      const lines = (await runUnpacked(sshd, 'usr/sbin/sshd', args, who)).trim().split('\n');
      return Object.fromEntries(lines.map((line) => line.split(/ (.*)/s).slice(0, 2)));
    };
    const common = {
      kbdinteractiveauthentication: 'no',
      permitemptypasswords: 'no',
      permitrootlogin: 'without-password',
      allowtcpforwarding: 'no',
      allowstreamlocalforwarding: 'no',
      allowagentforwarding: 'no',
      gatewayports: 'no',
      permittunnel: 'no',
      x11forwarding: 'no',
      printmotd: 'no',
      hostkey: key,
      clientaliveinterval: '30',
      clientalivecountmax: '10',
      maxstartups: '30:30:60',
      persourcemaxstartups: '4',
    };
    expect(await ask('spoq')).to.include({ ...common, passwordauthentication: 'yes' });
    expect(await ask('admin')).to.include({ ...common, passwordauthentication: 'no' });
    const root = await ask('root');
    expect(root).to.include({ ...common, passwordauthentication: 'no' });
    expect(root['authorizedkeysfile']).to.equal('/etc/ssh/spoq_control_keys');
    // Once for each name, and the last is what is left here.
    expect(root['allowusers']).to.equal('root');
    expect(read('/etc/ssh/spoq_control_keys')).to.match(/^restrict ssh-ed25519 /);
  });

  it('have a Caddyfile that Caddy accepts', async function () {
    const caddy = await unpackPackages(process.env, 'caddy', ['caddy']);
    if (caddy === undefined) return this.skip();
    const validate = (file: string) =>
      runUnpacked(caddy, 'usr/bin/caddy', ['validate', '--adapter', 'caddyfile', '--config', file]);
    expect(await validate(await write('Caddyfile', read('/etc/caddy/Caddyfile')))).to.include('Valid configuration');
    const planted = read('/etc/caddy/Caddyfile').replace('reverse_proxy', 'reverse_poxy');
    expect(await failure(validate(await write('planted', planted)))).to.include('reverse_poxy');
  });

  it('have settings of apt that apt reads as they are meant', async function () {
    const file = await write('20spoq-upgrades', read('/etc/apt/apt.conf.d/20spoq-upgrades'));
    const dump = await run('apt-config', ['dump'], { env: { ...process.env, APT_CONFIG: file } }).catch(
      () => undefined,
    );
    if (dump === undefined) return this.skip();
    expect(dump.stdout.split('\n')).to.include.members([
      'APT::Periodic::Unattended-Upgrade "1";',
      'Unattended-Upgrade::Automatic-Reboot "true";',
      'Unattended-Upgrade::Automatic-Reboot-Time "04:00";',
    ]);
  });

  it('have a welcome that a phone of 40 columns shows', () => {
    const lines = read('/etc/motd').split('\n');
    expect(lines.filter((line) => line.length > 40)).to.deep.equal([]);
    expect(lines.some((line) => line.includes('spoq ask'))).to.equal(true);
  });
});
