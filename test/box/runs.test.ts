import { expect } from 'chai';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import { createDial, listOwnAddresses } from '../../conductor/workplace/egress.ts';
import { createWorkplaces } from '../../conductor/workplace/systemd-workplaces.ts';
import { WorkError } from '../../conductor/workplace/workplace.ts';
import type { WorkLimits, Workplace } from '../../conductor/workplace/workplace.ts';
import { buildRelease, hostTarget, releaseName } from '../../tools/build-release.ts';
import { bootConductorMachine } from '../harness/conductor-machine.ts';
import type { ConductorMachine } from '../harness/conductor-machine.ts';
import { bootedMachines } from '../harness/machines.ts';
import { collect, makeWorkspace } from '../harness/run-machine.ts';
import type { Collected } from '../harness/run-machine.ts';
import { waitFor } from '../harness/wait.ts';

const ROOT = path.dirname(path.dirname(import.meta.dirname));
const SOCKET = '/run/conductor-agents/work.sock';
const MB = 1024 ** 2;
const LIMITS: WorkLimits = { memory_bytes: 600 * MB, tasks: 80, cpu_percent: 100, seconds: 600, disk_bytes: 300 * MB };
/** Where names of the tests lead: everything else has no address. */
const NAMES: Record<string, string[]> = {
  'metadata.attacker.test': ['169.254.169.254'],
  'local.attacker.test': ['127.0.0.1'],
  'mixed.attacker.test': ['93.184.216.34', '10.0.0.1'],
  'box.attacker.test': listOwnAddresses(),
};

/** What a run tries from within, on a machine that has booted; and what is left afterwards. */
describe('the confinement of a run', function () {
  this.timeout(60_000);
  let box: ConductorMachine;
  let snapshot: string;
  let places: ReturnType<typeof createWorkplaces>;
  let run: Workplace;
  let other: Workplace;

  before(async function () {
    this.timeout(10 * 60_000);
    const releases = path.join(ROOT, 'dist', 'release');
    const target = hostTarget();
    await buildRelease(releases, [target], { root: ROOT, env: process.env, onProgress: () => undefined });
    const at = (program: 'conductor' | 'spoq'): string => path.join(releases, releaseName(program, target));
    box = await bootConductorMachine(bootedMachines().tree.root, { conductor: at('conductor'), spoq: at('spoq') });
    await box.surround(true);
    // A disk of its own, which can be filled without harm to this computer.
    box.write(
      '/etc/systemd/system/conductor-work@.service.d/test.conf',
      '[Service]\nEnvironment=SPOQ_RESERVE_KB=102400\n',
    );
    await box.systemctl('daemon-reload');
    await box.run([
      'sh',
      '-c',
      'mkdir -m 0700 /var/lib/spoq-runs && mount -t tmpfs -o size=600m,mode=0700 none /var/lib/spoq-runs',
    ]);
    snapshot = await makeWorkspace(box, 'web', { 'a.txt': 'one\n', 'src/b.ts': 'b\n' });
    box.write('/home/spoq/diary', 'secret of the owner');
    expect(await box.systemctl('start', 'conductor')).to.equal('0:');
    places = createWorkplaces({
      socket: box.file(SOCKET),
      dial: createDial((host) =>
        NAMES[host] === undefined && !/^[\d.:a-fx]+$/i.test(host)
          ? Promise.reject(new Error('no address'))
          : Promise.resolve(NAMES[host] ?? [host]),
      ),
    });
  });
  after(async () => box?.close());
  beforeEach(async () => {
    run = await open('first');
  });
  afterEach(async () => {
    await run.close();
  });

  const open = (id: string, limits: Partial<WorkLimits> = {}): Promise<Workplace> =>
    places.open(
      { id, workspace: 'web', snapshot, limits: { ...LIMITS, ...limits } },
      () => undefined,
      new AbortController().signal,
    );
  const sh = (text: string, timeout_ms = 20_000, place = run): Promise<Collected> =>
    collect(place.exec({ argv: ['bash', '-c', text], timeout_ms }));
  const inside = async (script: string): Promise<string> => (await box.run(['sh', '-c', script])).stdout.trim();
  const codeOf = (work: Promise<unknown>): Promise<unknown> =>
    work.then(
      () => 'done',
      (error: unknown) => (error instanceof WorkError ? error.code : error),
    );
  const rootOf = (pid: string): string => `/proc/${pid}/root`;
  const accountOf = (id: string): Promise<string> => inside(`cat /var/lib/spoq-runs/${id}/uid`);
  const countProcesses = async (uid: string): Promise<number> =>
    Number(await inside(`ps -e -o uid= | grep -c "^ *${uid}$" || true`));
  /** Each must fail, and say so. */
  async function expectRefused(attempts: string[]): Promise<void> {
    const script = attempts.map((attempt, index) => `( ${attempt} ) >/dev/null 2>&1 && echo ${index}`).join('\n');
    const { stdout } = await sh(`${script}\necho all`, 60_000);
    const succeeded = stdout
      .trim()
      .split('\n')
      .map((index) => attempts[Number(index)] ?? index);
    expect(succeeded).to.deep.equal(['all']);
  }

  it('runs a program in the tree of the snapshot, with an account of its own and no rights', async () => {
    const { stdout } = await sh(
      'pwd; whoami; cat a.txt; grep -E "^(NoNewPrivs|Cap(Eff|Prm|Bnd|Inh|Amb))" /proc/self/status; git log --format=%s',
    );
    const none = ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'].map((set) => `${set}:\t0000000000000000`);
    expect(stdout.trim().split('\n')).to.deep.equal([
      '/home/agent/web',
      'agent',
      'one',
      ...none,
      'NoNewPrivs:\t1',
      'snapshot',
    ]);
    const shown = await collect(run.exec({ argv: ['tty'], tty: { columns: 80, rows: 24 } }));
    expect(shown.stdout).to.match(/^\/dev\/pts\/\d+\r\n$/);
  });

  it('writes nowhere outside of its home and its /tmp', async () => {
    const places_ = [
      '/',
      '/etc',
      '/usr',
      '/usr/local/bin',
      '/var',
      '/var/lib',
      '/var/lib/spoq-runs',
      '/var/lib/conductor',
      '/home',
      '/home/spoq',
      '/root',
      '/run',
      '/run/lock',
      '/opt',
      '/srv',
      '/boot',
      '/dev',
      '/sys',
      '/proc/sys/kernel',
      '/run/spoq/base.git',
    ];
    await expectRefused([
      ...places_.map((place) => `echo x > ${place}/written`),
      'echo x >> /etc/passwd',
      'echo x > /proc/sys/kernel/hostname',
      'echo c > /proc/sysrq-trigger',
      'echo 1 > /sys/fs/cgroup/memory/memory.limit_in_bytes',
      'mv /usr/local/bin/conductor /tmp',
    ]);
    expect(
      (
        await sh(
          'echo mine > ~/written && echo mine > /tmp/written && echo mine > /var/tmp/written && echo mine > /dev/shm/written',
        )
      ).code,
    ).to.equal(0);
    expect(await inside('find / -xdev -name written; ls /tmp /var/tmp /dev/shm | grep written; true')).to.equal('');
  });

  it('reads neither the keys and the state of the conductor nor the home of the owner', async () => {
    const pid = await box.show('MainPID');
    const files = [
      '/etc/conductor/env',
      '/etc/conductor/config.toml',
      '/var/lib/conductor/keys.json',
      '/home/spoq/diary',
      '/etc/shadow',
      '/etc/ssh/ssh_host_ed25519_key',
      `/proc/${pid}/environ`,
      `${rootOf(pid)}/etc/conductor/env`,
      '/usr/local/lib/spoq/launch-work.sh',
      '/var/log/journal',
    ];
    await expectRefused([
      ...files.map((file) => `cat ${file}`),
      'ls /etc/conductor | grep .',
      'ls /var/lib/conductor | grep .',
      'ls /home | grep -v agent',
      `ls /proc/${pid}`,
      'ls /var/log | grep .',
    ]);
    const found = await sh(
      'grep -rl "sk-of-this-box\\|secret of the owner" / --exclude-dir=proc --exclude-dir=sys --exclude-dir=usr --devices=skip 2>/dev/null; env; ps -e -o args',
    );
    expect(found.stdout).not.to.match(/sk-of-this-box|diary|spoq\.toml|\/etc\/conductor/);
  });

  it('neither sees nor harms another run', async () => {
    other = await open('second');
    const child = other.exec({ argv: ['sleep', '4321'] });
    await other.writeFile('secret', 'of the second');
    await waitFor('it to run', async () => (await inside('pgrep -f "^sleep 4321"')) !== '');
    const pid = await inside('pgrep -f "^sleep 4321"');
    const uids = await Promise.all(['first', 'second'].map(accountOf));
    expect(uids[0]).not.to.equal(uids[1]);
    await expectRefused([
      'ls /var/lib/spoq-runs/second',
      'cat /var/lib/spoq-runs/second/home/web/secret',
      `ls /proc/${pid}`,
      `kill -9 ${pid}`,
      `kill -0 ${pid}`,
      `cat ${rootOf(pid)}/home/agent/web/secret`,
      'ps -e -o args | grep "[s]leep 4321"',
    ]);
    await sh('kill -9 -1', 5000).catch(() => undefined); // its own, `conductor work` among them
    expect(await inside('pgrep -f "^sleep 4321"')).to.equal(pid);
    child.kill('SIGKILL');
    expect((await child.exit).signal).to.equal('SIGKILL');
    expect((await other.readFile('secret')).text).to.equal('of the second');
    await other.close();
  });

  it('cannot approve itself: no way leads to the conductor, directly or through the proxy', async () => {
    run.onConnect(() => Promise.resolve('allow'));
    const hosts = [
      'http://localhost:8080',
      'http://127.0.0.1:8080',
      'http://[::1]:8080',
      'http://0.0.0.0:8080',
      'http://local.attacker.test:8080',
      'http://2130706433:8080',
      'http://[::ffff:127.0.0.1]:8080',
    ];
    const sockets = [
      '/run/conductor/remote.sock',
      SOCKET,
      '/run/dbus/system_bus_socket',
      '/run/systemd/private',
      '/run/systemd/notify',
      '/run/systemd/journal/stdout',
    ];
    await expectRefused([
      ...hosts.map((host) => `curl -sf --noproxy '*' --max-time 3 ${host}/health`),
      ...hosts.map((host) => `curl -sf --noproxy '' --proxy $http_proxy --max-time 5 ${host}/health`),
      ...hosts.map((host) => `curl -sf --noproxy '' --proxy $http_proxy --proxytunnel --max-time 5 ${host}/health`),
      ...sockets.map(
        (socket) => `curl -sf --max-time 3 --unix-socket ${socket} http://localhost/health || test -e ${socket}`,
      ),
      ...sockets.map((socket) => `curl -sf --max-time 3 --abstract-unix-socket ${socket} http://localhost/health`),
      'systemctl status',
      'spoq status',
    ]);
    expect(await inside('curl -s http://localhost:8080/health')).to.include('version'); // it was there to be reached
  });

  it('would be known by the conductor if it came to its listener all the same', async () => {
    const pid = await box.show('MainPID');
    const asConductor = ['setpriv', '--no-new-privs', '--clear-groups', '--reuid', 'conductor', '--regid', 'conductor'];
    const connected = box.run(['bash', '-c', 'exec 3<>/dev/tcp/127.0.0.1/8080; sleep 3'], 'spoq');
    const spoq = await inside('id -u spoq');
    let table = '';
    await waitFor('the connection to be seen in the sandbox of the conductor, with its account', async () => {
      table = (await box.run(['nsenter', '-t', pid, '-m', ...asConductor, 'cat', '/proc/self/net/tcp'])).stdout;
      return new RegExp(`0100007F:1F90 01 .* ${spoq} +0 [1-9]`).test(table);
    });
    await connected;
    const [own, system] = (await inside(`readlink /proc/${pid}/ns/user /proc/1/ns/user`)).split('\n');
    expect(own, 'where accounts have the same numbers').to.equal(system);
  });

  it('reaches neither the metadata address nor the box and its network, whatever name leads there', async () => {
    run.onConnect(() => Promise.resolve('allow'));
    const hosts = [
      '169.254.169.254',
      '10.0.0.1',
      '192.168.0.1',
      ...listOwnAddresses().filter((address) => !address.includes(':')),
      ...Object.keys(NAMES),
    ];
    await expectRefused(hosts.map((host) => `curl -sf --noproxy '*' --connect-timeout 2 http://${host}/`));
    for (const host of hosts)
      expect([
        host,
        (await sh(`curl -s --noproxy '' --proxy $http_proxy -o /dev/null -w '%{http_code}' http://${host}/`)).stdout,
      ]).to.deep.equal([host, '403']);
    const { stdout } = await sh('ip -o addr 2>/dev/null || cat /proc/net/dev');
    expect(stdout).not.to.match(/eth|host0|veth/);
  });

  it('survives a fork bomb beside it: the box answers, and the run is told', async () => {
    const bomb = sh(':(){ :|:& };:; sleep 4', 4000);
    const began = performance.now();
    for (let asked = 0; asked < 10; asked += 1) expect((await box.get('/api/status'))?.status).to.equal(200);
    expect(performance.now() - began).to.be.below(10_000);
    expect(await countProcesses(await accountOf('first'))).to.be.below(LIMITS.tasks + 1);
    const { stderr } = await bomb;
    expect(stderr).to.match(/fork: .*Resource temporarily unavailable/);
    await waitFor(
      'it to be over',
      async () => (await sh('echo well').catch(() => undefined))?.stdout === 'well\n',
      30_000,
    );
  });

  it('is killed where it uses memory up, and told so, and the rest goes on', async function () {
    if ((await box.show('MemoryCurrent')) === '[not set]') return this.skip();
    const use = (share: number): Promise<Collected> =>
      sh(`python3 -c 'bytearray(${Math.round(LIMITS.memory_bytes * share)})'`);
    expect(await use(0.7)).to.deep.include({ code: 0 });
    expect(await use(1.4)).to.deep.include({ out_of_memory: true, timed_out: false });
    expect(await sh('tail /dev/zero')).to.deep.include({ out_of_memory: true, timed_out: false });
    expect((await sh('echo well')).stdout).to.equal('well\n');
    expect((await box.get('/api/status'))?.status).to.equal(200);
  });

  it('is ended before the disk is full, and told so, and the box goes on', async () => {
    const filling = sh('for i in 1 2 3 4 5 6; do head -c 100M /dev/zero > ~/$i; done; sleep 60', 60_000).catch(
      () => undefined,
    );
    expect(await run.closed).to.deep.include({ reason: 'disk' });
    await filling;
    expect(await codeOf(open('third'))).to.equal('no_space');
    await places.remove('first');
    expect(await inside('ls /var/lib/spoq-runs')).not.to.match(/first/);
  });

  it('is ended above its own limit of the disk', async () => {
    await run.close();
    run = await open('first', { disk_bytes: 50 * MB });
    const filling = sh(
      'head -c 100M /dev/zero > ~/1; for i in 2 3; do head -c 40M /dev/zero > ~/$i; done; sleep 60',
      60_000,
    ).catch(() => undefined);
    expect(await run.closed).to.deep.include({ reason: 'disk' });
    await filling;
    expect(Number(await inside('stat -c %s /var/lib/spoq-runs/first/home/1'))).to.equal(50 * MB); // one file never gets larger
    await places.remove('first');
  });

  it('is ended when its time is over', async () => {
    await run.close();
    run = await open('first', { seconds: 3 });
    const failure = await sh('sleep 100').catch((error: unknown) => error);
    expect(failure).to.have.property('code', 'lost');
    expect(await run.closed).to.deep.equal({ reason: 'time', detail: 'The run has used up its time and was ended.' });
  });

  it('is led nowhere by links and `..`, in tools and in the tree', async () => {
    await sh(
      'ln -s /etc/shadow shadow; ln -s /etc/passwd passwd; ln -s /var/lib/spoq-runs/second/home/web/secret theirs; ln -s / all; ln -s ../../../.. up',
    );
    for (const name of [
      'shadow',
      'passwd',
      'theirs',
      'all/etc/hostname',
      'up/etc/hostname',
      '../../../etc/hostname',
      '/etc/hostname',
    ])
      for (const use of [
        () => run.readFile(name),
        () => run.writeFile(name, 'x'),
        () => run.editFile(name, [{ old: 'r', new: 'x' }]),
      ])
        expect([name, ['outside', 'denied'].includes(String(await codeOf(use())))]).to.deep.equal([name, true]);
    expect(await inside('find /var/lib/spoq-runs/first -xdev -type l | wc -l')).to.equal('5');
    await run.close();
    await places.remove('first'); // follows none of them
    expect(
      await inside('test -s /etc/shadow && test -s /etc/passwd && cat /var/lib/spoq-runs/second/home/web/secret'),
    ).to.equal('of the second');
  });

  it('gains nothing by swapping a folder for a link while a tool writes', async () => {
    const swapping = sh('mkdir -p real; while :; do rm -rf d; ln -s /etc d; rm -f d; cp -r real d; done', 4000);
    const outcomes = new Set<unknown>();
    for (let round = 0; round < 150; round += 1) outcomes.add(await codeOf(run.writeFile('d/spoq-swapped', 'x')));
    await swapping;
    expect(
      [...outcomes].filter(
        (outcome) => !['done', 'outside', 'not_found', 'denied', 'failed'].includes(String(outcome)),
      ),
    ).to.deep.equal([]);
    expect(await inside('ls /etc | grep swapped; true')).to.equal('');
  });

  it('harms nothing but itself by `rm -rf ~ /`', async () => {
    const before = await inside(
      'find /home/spoq /etc /usr/local /var/lib/spoq-runs/second -xdev -type f -exec sha256sum {} + | sort | sha256sum',
    );
    await sh('rm -rf ~ ; rm -rf --no-preserve-root / ; rm -rf /home/*/* /home/agent/.[a-z]*', 15_000).catch(
      () => undefined,
    );
    expect(
      await inside(
        'find /home/spoq /etc /usr/local /var/lib/spoq-runs/second -xdev -type f -exec sha256sum {} + | sort | sha256sum',
      ),
    ).to.equal(before);
    expect((await box.get('/api/status'))?.status).to.equal(200);
    await run.close();
    await places.remove('first');
    run = await open('first');
    expect((await run.readFile('a.txt')).text).to.equal('one\n');
  });

  it('gets no other rights: setuid, sudo, ptrace, namespaces, signals', async () => {
    const pid = await box.show('MainPID');
    const syscall = (call: string): string =>
      `python3 -c 'import ctypes,sys; l=ctypes.CDLL(None,use_errno=True); sys.exit(0 if l.${call}>=0 else 1)'`;
    expect((await sh(syscall('getpid()'))).code, 'the way of calling works').to.equal(0);
    await expectRefused([
      'sudo -n id',
      'su root -c id',
      'cp /bin/sh sh && chmod u+s sh',
      'unshare --user --map-root-user id',
      'unshare --mount id',
      'setpriv --reuid 0 id',
      `kill -9 1`,
      `kill -TERM ${pid}`,
      `nsenter -t 1 -m id`,
      `nsenter -t ${pid} -n id`,
      'chroot / id',
      syscall('ptrace(16, 1, 0, 0)'),
      syscall('ptrace(0, 0, 0, 0)'),
      syscall('bpf(0, 0, 0)'),
      syscall('syscall(425, 1, 0)'),
      syscall('syscall(250, 0, 0)'),
      'renice -n -5 $$',
      'chown root a.txt',
    ]);
    expect(await box.show('MainPID')).to.equal(pid);
  });

  it('makes no device nodes and mounts nothing', async () => {
    await expectRefused([
      'mknod ~/sda b 8 0',
      'mknod ~/null c 1 3',
      'mount -t tmpfs none ~',
      'mount --bind /etc ~',
      'umount /run',
      'losetup -f ~/x',
      'mount -o remount,rw /',
      'ls /dev/sd* /dev/vd* /dev/mem /dev/kmsg /dev/loop* /dev/fuse',
      'cat /dev/mem',
      'dmesg',
      'insmod x.ko',
      'swapon /dev/null',
    ]);
  });

  it('is gone within seconds when the conductor is killed, whatever it has stopped or hidden', async () => {
    await run.close();
    const holder = spawn(
      process.execPath,
      [path.join(ROOT, 'test', 'fixtures', 'holds-run.ts'), box.file(SOCKET), 'held', snapshot],
      {
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      },
    );
    const ended = once(holder, 'exit');
    try {
      expect((await once(holder, 'message'))[0]).to.equal('ready\n');
      const uid = await accountOf('held');
      await waitFor('its programs to run', async () => (await inside('pgrep -c -f "^sleep 123[456]"')) === '3');
      holder.kill('SIGKILL');
      await waitFor('nothing of it to be left', async () => (await countProcesses(uid)) === 0, 5000);
      expect(await inside('systemctl list-units --all --plain --no-legend "spoq-run-*"')).to.equal('');
    } finally {
      holder.kill('SIGKILL');
      await ended;
    }
  });

  it('is removed with all that it had, and so is what nobody knows', async () => {
    await run.close();
    await places.remove('never-was');
    expect((await places.sweep((id) => id === 'first')).toSorted()).to.deep.equal(['held', 'second']);
    expect(await inside('ls -A /var/lib/spoq-runs')).to.equal('first');
    // Though it is open. More than once: systemd holds on to a line for longer now and then.
    for (let round = 0; round < 5; round += 1) {
      run = await open('first');
      await places.remove('first');
      expect(await run.closed).to.have.property('reason', 'asked');
    }
    run = await open('first');
    const uid = await accountOf('first');
    await places.remove('first');
    expect(await run.closed).to.deep.equal({ reason: 'asked', detail: 'The run was removed.' });
    expect([
      await countProcesses(uid),
      await inside('ls -A /var/lib/spoq-runs; ls /run/spoq-runs; find / -xdev -uid ' + uid),
    ]).to.deep.equal([0, '']);
  });

  it('keeps its tree from one opening to the next, and is open once', async () => {
    await run.writeFile('kept', 'yes');
    expect(await codeOf(open('first'))).to.equal('unavailable');
    await run.close();
    run = await open('first');
    expect((await run.readFile('kept')).text).to.equal('yes');
  });

  it('is made for nobody but the conductor, and by nothing but an exact request', async () => {
    for (const user of ['spoq', 'nobody'])
      expect(
        (await box.run(['curl', '-s', '--max-time', '2', '--unix-socket', SOCKET, 'http://x/'], user)).code,
      ).to.equal(7);
    const requests = [
      'open ../../etc web 1 1 1 1 1',
      'open a/b web 1 1 1 1 1',
      'open A web 1 1 1 1 1',
      'open x ../web 1 1 1 1 1',
      'open x web 1 1 1 1',
      'open x web 1 1 1 1 1 1',
      'open x web 1 1 1 1 -1',
      'open x web 1 1 1 1 1;id',
      'open x web $(id) 1 1 1 1',
      'remove .',
      'remove ..',
      'remove *',
      'remove x y',
      'join ../x',
      'list x',
      '',
      ' list',
      'x'.repeat(100_000),
    ];
    for (const request of requests)
      expect([request.slice(0, 40), await say(`${request}\n`)]).to.deep.equal([
        request.slice(0, 40),
        'refused invalid The request is none that is known.\n',
      ]);
    expect(await say('join nobody\n')).to.equal('');
    expect(await say('open x nowhere 1 1 1 1 1\n')).to.equal('refused not_found There is no workspace nowhere.\n');
    await box.run(['ln', '-s', '/etc', '/home/spoq/.local/state/spoq/workspaces/evil']);
    expect(await say('open x evil 1 1 1 1 1\n')).to.equal('refused not_found There is no workspace evil.\n');
    expect(existsSync(box.file('/var/lib/spoq-runs/x'))).to.equal(false);
    expect(readFileSync(box.file('/etc/passwd'), 'utf8')).not.to.include('agent');
  });

  async function say(request: string): Promise<string> {
    const socket = connect(box.file(SOCKET));
    let answer = '';
    socket.setEncoding('utf8').on('data', (text: string) => (answer += text));
    socket.on('error', () => undefined); // of a request that is not read to its end
    socket.write(request);
    await new Promise<void>((resolve) => void socket.once('close', () => resolve()));
    return answer;
  }
});
