import { expect } from 'chai';
import * as rpc from '@pulumi/pulumi/runtime/rpc.js';
import { createServer, type AddressInfo, type Server as TcpServer, type Socket } from 'node:net';
import { userInfo } from 'node:os';
import ssh2 from 'ssh2';
import type { ServerChannel } from 'ssh2';
import { generateWholePair } from '../../stacks/provider/ssh-key.ts';
import { waitFor } from '../../test/harness/wait.ts';
import { createRemoteCommandPlugin } from './command/remote-command.ts';
import { findSshd, startSshd, type RunningSshd } from './testing/sshd.ts';

const URN = 'urn:pulumi:s::spoq::spoq:infra:Box$command:remote:Command::converge';
const makeKey = (comment: string) => generateWholePair(ssh2, comment);

function createPlugin() {
  const said: string[] = [];
  const { plugin, cutAll } = createRemoteCommandPlugin((_urn, line) => said.push(line));
  const create = (inputs: object) => plugin.create?.(URN, inputs);
  const refused = async (inputs: object) =>
    (await create(inputs)?.then(
      () => 'it ran',
      (error: Error) => error.message,
    )) ?? '';
  return { plugin, cutAll, said, create, refused };
}

describe('stand-in for remote.Command', () => {
  describe('against a real sshd', () => {
    const key = makeKey('control');
    const hostKey = makeKey('host');
    let sshd: RunningSshd;
    let connection: Record<string, unknown>;
    before(async function () {
      const program = findSshd();
      if (program === undefined) {
        process.stderr.write('No sshd on this machine: the stand-in is tried against a server of ssh2 only.\n');
        return this.skip();
      }
      sshd = await startSshd(program, { hostKey: hostKey.private, authorizedKey: key.public });
      const user = userInfo().username;
      connection = { host: '127.0.0.1', port: sshd.port, user, privateKey: key.private, hostKey: hostKey.public };
    });
    after(() => sshd?.stop());

    it('runs what is made, changed and removed, with what stands on its standard input', async () => {
      const { plugin, create, said } = createPlugin();
      const secret = {
        [rpc.specialSigKey]: rpc.specialSecretSig,
        value: 'name=alice; echo "I am $name"; echo careful >&2',
      };
      const inputs = { connection, create: 'exec bash -s', stdin: secret, delete: `echo bye` };
      const { id, outs } = (await create(inputs)) ?? { id: '', outs: {} };
      expect(id).to.match(/^converge[0-9a-f]{12}$/);
      expect([outs.stdout, outs.stderr]).to.deep.equal(['I am alice', 'careful']);
      expect(said).to.have.members(['I am alice', 'careful']);
      const changed = await plugin.update?.(id, URN, outs, {
        ...inputs,
        update: 'cat | wc -c',
        stdin: 'x'.repeat(300_000),
      });
      expect(changed?.outs.stdout).to.equal('300000');
      await plugin.delete?.(id, URN, outs);
      expect(said.at(-1)).to.equal('bye');
    });

    it('tells what a command said when it failed', async () => {
      const { refused } = createPlugin();
      const line = 'echo on its way; echo "It is full." >&2; exit 3';
      expect(await refused({ connection, create: line })).to.equal(
        `Process exited with status 3: running ${JSON.stringify(line)}:\non its way\nIt is full.\n`,
      );
      expect(await refused({ connection, create: 'kill -KILL $$' })).to.match(
        /^Process exited with signal SIGKILL: running/,
      );
    });

    it('refuses a server with another host key, and is refused with another key of its own', async () => {
      const { refused, said } = createPlugin();
      const strange = { ...connection, hostKey: makeKey('other').public, dialErrorLimit: 1 };
      expect(await refused({ connection: strange, create: 'echo in' })).to.match(
        /^after 1 failed attempts: .*[Hh]ost denied/,
      );
      const stranger = { ...connection, privateKey: makeKey('other').private, dialErrorLimit: 0 };
      expect(await refused({ connection: stranger, create: 'echo in' })).to.match(
        /^after 0 failed attempts: All configured authentication methods failed/,
      );
      expect(said).to.deep.equal(['Dial 1/1 failed: retrying']);
      expect(await refused({ connection: { ...connection, hostKey: 'nonsense' }, create: 'echo in' })).to.match(
        /^failed to parse host key/,
      );
    });
  });

  describe('against a server that fails', () => {
    const key = makeKey('control');
    const hostKey = makeKey('host');
    let onCommand: (channel: ServerChannel, line: string, socket: Socket) => void;
    let onSocket: (socket: Socket) => boolean;
    let environment: Record<string, string>;
    let dials = 0;
    const sockets = new Set<Socket>();
    const ssh = new ssh2.Server({ hostKeys: [hostKey.private] });
    let tcp: TcpServer;
    let connection: Record<string, unknown>;

    before(async () => {
      tcp = createServer((socket) => {
        dials += 1;
        sockets.add(socket);
        if (!onSocket(socket)) return;
        ssh.injectSocket(socket);
      });
      ssh.on('connection', (client) => {
        client.on('error', () => {});
        client.on('authentication', (context) => context.accept());
        client.on('session', (accept) => {
          const session = accept();
          session.on('env', (_accept, _reject, { key: name, val }) => void (environment[name] = val));
          session.on('exec', (take, _reject, { command }) => {
            const socket = [...sockets].at(-1);
            if (socket) onCommand(take(), command, socket);
          });
        });
      });
      await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve));
      const { port } = tcp.address() as AddressInfo;
      connection = { host: '127.0.0.1', port, privateKey: key.private, hostKey: hostKey.public, dialErrorLimit: 2 };
    });
    after(async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => tcp.close(resolve));
    });
    beforeEach(() => {
      [dials, environment] = [0, {}];
      onSocket = () => true;
      onCommand = (channel, line) => {
        channel.write(`ran ${line}\n`);
        channel.exit(0);
        channel.end();
      };
    });

    it('dials as often as it may, and then tells why', async () => {
      const { refused, said } = createPlugin();
      onSocket = (socket) => !socket.destroy();
      expect(await refused({ connection, create: 'x' })).to.match(/^after 2 failed attempts: /);
      expect(dials).to.equal(3);
      expect(said).to.deep.equal(['Dial 1/2 failed: retrying', 'Dial 2/2 failed: retrying']);
    });

    it('goes on when a later dial works', async () => {
      const { create } = createPlugin();
      onSocket = (socket) => dials > 1 || !socket.destroy();
      expect((await create({ connection, create: 'x' }))?.outs.stdout).to.equal('ran x');
    });

    it('waits no longer than perDialTimeout for a server that says nothing', async () => {
      const { refused } = createPlugin();
      onSocket = () => false;
      const slow = { ...connection, perDialTimeout: 1, dialErrorLimit: 0 };
      expect(await refused({ connection: slow, create: 'x' })).to.match(/^after 0 failed attempts: Timed out/);
    });

    it('tells when the connection is cut while the command runs', async () => {
      const { refused } = createPlugin();
      onCommand = (channel, _line, socket) => channel.write('half', () => socket.destroy());
      expect(await refused({ connection, create: 'x' })).to.equal(
        'wait: remote command exited without exit status or exit signal: running "x":\nhalf',
      );
      expect(dials, 'a command that may have run is not run again').to.equal(1);
    });

    it('hands over the former output and its variables, and logs what it is told to', async () => {
      const { plugin, said } = createPlugin();
      const former = { stdout: 'before', stderr: '' };
      const inputs = { connection, create: 'x', environment: { NAME: 'alice' }, logging: 'stderr' };
      await plugin.update?.('id', URN, former, inputs);
      expect(environment).to.deep.equal({ NAME: 'alice', PULUMI_COMMAND_STDOUT: 'before' });
      environment = {};
      await plugin.update?.('id', URN, former, { ...inputs, addPreviousOutputInEnv: false });
      expect(environment).to.deep.equal({ NAME: 'alice' });
      expect(said).to.deep.equal([]);
    });

    it('replaces when triggers differ, changes when anything else does', async () => {
      const { plugin } = createPlugin();
      const olds = { connection, create: 'true', triggers: ['1'] };
      const diff = async (news: object) => plugin.diff?.('id', URN, olds, { ...olds, ...news });
      expect(await diff({})).to.deep.equal({ changes: false, replaces: [] });
      expect(await diff({ stdin: 'other' })).to.deep.equal({ changes: true, replaces: [] });
      expect(await diff({ connection: { ...connection, host: '192.0.2.1' } })).to.deep.equal({
        changes: true,
        replaces: [],
      });
      expect(await diff({ triggers: [rpc.unknownValue] })).to.deep.equal({ changes: true, replaces: ['triggers'] });
    });

    it('lets go when the engine cancels', async () => {
      const { refused, cutAll } = createPlugin();
      let began = false;
      onCommand = () => void (began = true);
      const running = refused({ connection, create: 'x' });
      await waitFor('the command to begin', () => began);
      cutAll();
      expect(await running).to.match(/^the connection was cut: the engine was told to stop: running "x"/);
    });
  });
});
