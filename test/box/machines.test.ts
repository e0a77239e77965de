import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { createSandbox, type Sandbox } from '../../sandbox/index.ts';
import { machineArguments } from '../../tools/machines.ts';
import { isRunning } from '../harness/processes.ts';
import { bootedMachines, execInside, lookInside } from '../harness/machines.ts';
import { waitFor } from '../harness/wait.ts';

const USER_DATA = '#cloud-config\n{"hostname":"alice","runcmd":["touch /var/ran"]}\n';
const SCRIPT = '#!/bin/bash\necho said by the script\ntouch /var/ran\n';
const BOOT_MS = 60_000;

describe('machines that boot', function () {
  this.timeout(180_000);
  const dir = mkdtempSync(path.join(tmpdir(), 'spoq-machines-'));
  const { tree, ...choice } = bootedMachines();
  let host: Server;
  let sandbox: Sandbox;
  let controlPlane: string;
  const programs: ChildProcess[] = [];

  before(async () => {
    host = createServer((socket) => void socket.end('the control plane\n'));
    await new Promise<void>((resolve) => host.listen(0, '127.0.0.1', resolve));
    controlPlane = `http://127.0.0.1:${(host.address() as { port: number }).port}`;
    const pebble = path.join(tree.tools, 'usr/bin/pebble');
    const machines = { tree: tree.root, pebble, limit: 2, controlPlane, outside: [] };
    sandbox = await createSandbox({ stateDir: path.join(dir, 'first'), machines });
  });
  after(async () => {
    for (const program of programs) program.kill('SIGKILL');
    await sandbox?.close();
    host.close();
    rmSync(dir, { recursive: true });
  });

  const find = (id: string) => sandbox.machines.list().find((machine) => machine.id === id);
  const awaitScript = async (id: string): Promise<number> => {
    const leader = await waitFor(`${id} to boot`, () => sandbox.machines.findLeader(id), BOOT_MS);
    await waitFor(`${id} to be set up`, async () => (await execInside(leader, 'test -e /var/ran')).code === 0, BOOT_MS);
    return leader;
  };

  it('run what each vendor gives them, have an address of their own, and see names and ways but no way out', async () => {
    const { machines } = sandbox;
    const contabo = machines.create('contabo-1', 'contabo', 'box-1');
    const hostinger = machines.create('hostinger-1', 'hostinger', 'box-2');
    machines.reinstall('contabo-1', { kind: 'user-data', text: USER_DATA });
    machines.reinstall('hostinger-1', { kind: 'post-install', text: SCRIPT });
    for (const id of ['contabo-1', 'hostinger-1']) machines.power(id, true);
    const [first, second] = [await awaitScript('contabo-1'), await awaitScript('hostinger-1')];

    expect(await lookInside(first, 'hostname; ip -4 -br address show host0')).to.match(
      new RegExp(`^alice\\nhost0@if\\d+ +UP +${contabo.ipv4}/24$`),
    );
    expect(await lookInside(second, 'cat /post_install.log')).to.equal('said by the script');
    expect(await lookInside(first, 'systemctl --failed --no-legend')).to.equal('');
    const zone = `/zones/${sandbox.credentials['CLOUDFLARE_ZONE_ID']}/dns_records`;
    const record = await fetch(`${sandbox.credentials['CLOUDFLARE_API_URL']}${zone}`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${sandbox.credentials['CLOUDFLARE_API_TOKEN']}`,
        'content-type': 'application/json',
      },
      body: JSON.stringify({ type: 'A', name: 'bob.spoq.localhost', content: hostinger.ipv4, ttl: 60 }),
    });
    expect(record.status).to.equal(200);
    expect(await lookInside(first, 'getent ahostsv4 bob.spoq.localhost | head -n 1')).to.match(
      new RegExp(`^${hostinger.ipv4} `),
    );
    const gateway = new URL(sandbox.credentials['BOX_CONTROL_PLANE_URL'] ?? '');
    expect(await lookInside(first, `bash -c 'cat < /dev/tcp/${gateway.hostname}/${gateway.port}'`)).to.equal(
      'the control plane',
    );
    expect((await execInside(first, 'getent ahostsv4 www.example.org')).code, 'names of the outside').to.equal(2);
    expect((await execInside(first, 'timeout 2 bash -c "cat < /dev/tcp/192.0.2.9/80"')).code, 'a way out').to.not.equal(
      0,
    );

    const ssh = connect(22, contabo.ipv4);
    const banner = await new Promise<string>((resolve, reject) => {
      ssh.once('data', (bytes) => resolve(bytes.toString()));
      ssh.once('error', reject);
    });
    ssh.destroy();
    expect(banner).to.match(/^SSH-2\.0-OpenSSH/);
  });

  it('are no more at once than the limit', async () => {
    const { machines } = sandbox;
    machines.create('contabo-2', 'contabo', 'one too many');
    machines.reinstall('contabo-2', undefined);
    machines.power('contabo-2', true);
    await machines.settled();
    expect([find('contabo-2')?.status, find('contabo-2')?.console.at(-1)]).to.deep.equal([
      'off',
      "contabo-2: it can't be switched on: 2 machines run already, which is as many as this computer is allowed",
    ]);
    machines.destroy('contabo-2');
  });

  it('keep their disk when they are switched off, and lose it when they are installed anew', async () => {
    const { machines } = sandbox;
    await lookInside(await awaitScript('contabo-1'), 'echo kept > /var/file');
    machines.power('contabo-1', false);
    await machines.settled();
    expect([find('contabo-1')?.status, machines.findLeader('contabo-1')]).to.deep.equal(['off', undefined]);
    machines.power('contabo-1', true);
    expect(await lookInside(await awaitScript('contabo-1'), 'cat /var/file')).to.equal('kept');
    machines.reinstall('contabo-1', undefined);
    machines.power('contabo-1', true);
    await machines.settled();
    const leader = await waitFor('the bare system', () => machines.findLeader('contabo-1'), BOOT_MS);
    await waitFor('it to be up', () => find('contabo-1')?.status === 'running', BOOT_MS);
    expect(await lookInside(leader, 'ls -A /var')).to.not.match(/^(file|ran)$/m);
  });

  it('boot again when the system inside wants to', async () => {
    const leader = await awaitScript('hostinger-1');
    await execInside(leader, 'systemctl reboot');
    await waitFor('another first process', () => {
      const now = sandbox.machines.findLeader('hostinger-1');
      return now !== undefined && now !== leader;
    });
    await waitFor('it to be up again', () => find('hostinger-1')?.status === 'running', BOOT_MS);
    expect(find('hostinger-1')?.console).to.include('hostinger-1: it has ended to boot again');
  });

  it('notice when the system inside powers itself off', async () => {
    const leader = await awaitScript('hostinger-1');
    await execInside(leader, 'systemctl poweroff');
    await waitFor('the machine to be off', () => find('hostinger-1')?.status === 'off', BOOT_MS);
    expect(find('hostinger-1')?.console).to.include('hostinger-1: it has switched itself off');
  });

  it('end with a sandbox that is killed, and its next start takes away what was left and boots them again', async () => {
    const stateDir = path.join(dir, 'second');
    const first = await startProgram(stateDir);
    const order = await orderMachine(first.credentials);
    const find2 = async () => (await machinesOf(first.urls)).find(({ id }) => id === order);
    await waitFor('the machine to run', async () => (await find2())?.status === 'running', BOOT_MS);
    const { ipv4, root } = (await find2()) ?? { ipv4: '', root: '' };
    const leader = Number(/\d+/.exec(root)?.[0]);
    const bridge = bridgeOf(first.child.pid ?? 0);
    first.child.kill('SIGKILL');
    await waitFor('the system inside to end', () => !isRunning(leader));
    expect(readFileSync('/proc/self/mounts', 'utf8'), 'mounts').to.not.include(stateDir);

    const second = await startProgram(stateDir);
    const again = async () => (await machinesOf(second.urls)).find(({ id }) => id === order);
    await waitFor('the machine to run again', async () => (await again())?.status === 'running', BOOT_MS);
    expect((await again())?.ipv4).to.equal(ipv4);
    second.child.kill('SIGTERM');
    expect(await second.ended).to.equal(0);
    expect(existsSync(`/sys/class/net/${bridge}`), 'the bridge').to.equal(false);
    expect(readdirSync('/sys/fs/cgroup/systemd').filter((name) => name.startsWith(`${bridge}-`))).to.deep.equal([]);
  });

  interface Program {
    child: ChildProcess;
    urls: Record<string, string>;
    credentials: Record<string, string>;
    ended: Promise<number | null>;
  }

  async function startProgram(stateDir: string): Promise<Program> {
    const main = fileURLToPath(new URL('../../sandbox/main.ts', import.meta.url));
    const flags = machineArguments({ tree, ...choice }, { conductor: [], baseUrl: controlPlane, outside: [] });
    const argv = [
      main,
      '--state',
      stateDir,
      '--port',
      '0',
      '--delay',
      'provisioning_ms=10',
      '--delay',
      'installing_ms=10',
    ];
    const child = spawn(process.execPath, [...argv, ...flags], { stdio: ['ignore', 'pipe', 'inherit'] });
    programs.push(child);
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    for await (const line of createInterface({ input: child.stdout }))
      return { child, ended, ...(JSON.parse(line) as Pick<Program, 'urls' | 'credentials'>) };
    throw new Error('The sandbox ended before it listened');
  }

  interface View {
    id: string;
    status: string;
    ipv4: string;
    root: string;
  }
  const machinesOf = async (urls: Record<string, string>): Promise<View[]> =>
    (await (await fetch(`${urls['page']}/api/machines`)).json()) as View[];

  /** The bridge that a process has left its number on. */
  function bridgeOf(pid: number): string {
    const found = readdirSync('/sys/class/net').find(
      (name) =>
        /^spoq\d+$/.test(name) && readFileSync(`/sys/class/net/${name}/ifalias`, 'utf8').trim().endsWith(` ${pid}`),
    );
    if (found === undefined) throw new Error(`Process ${pid} has no bridge`);
    return found;
  }

  async function orderMachine(credentials: Record<string, string>): Promise<string> {
    const form = new URLSearchParams({
      grant_type: 'password',
      client_id: credentials['CONTABO_CLIENT_ID'] ?? '',
      client_secret: credentials['CONTABO_CLIENT_SECRET'] ?? '',
      username: credentials['CONTABO_API_USER'] ?? '',
      password: credentials['CONTABO_API_PASSWORD'] ?? '',
    });
    const token = (await (
      await fetch(credentials['CONTABO_AUTH_URL'] ?? '', { method: 'POST', body: form })
    ).json()) as {
      access_token: string;
    };
    const headers = {
      authorization: `Bearer ${token.access_token}`,
      'x-request-id': '4a1f9d3c-6c1b-4d55-9f55-0d5f0f1a2b3c',
      'content-type': 'application/json',
    };
    const body = JSON.stringify({ period: 1, displayName: 'box-3', userData: USER_DATA });
    const answer = await fetch(`${credentials['CONTABO_API_URL']}/v1/compute/instances`, {
      method: 'POST',
      headers,
      body,
    });
    const { data } = (await answer.json()) as { data: { instanceId: number }[] };
    return `contabo-${data[0]?.instanceId}`;
  }
});
