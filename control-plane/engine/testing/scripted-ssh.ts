import { createServer, type AddressInfo, type Socket } from 'node:net';
import ssh2 from 'ssh2';
import { generateWholePair } from '../../../stacks/provider/ssh-key.ts';

/** One command that somebody had run. */
export interface SshRun {
  user: string;
  /** The public key that they came with, in base64. */
  key: string;
  line: string;
  stdin: string;
}

export interface ScriptedSsh {
  port: number;
  runs: SshRun[];
  /** How the next commands end, and what they say. */
  answer: { code: number; lines: string[] };
  /** The private host key of the machine that this stands for; undefined: another machine's. */
  hostKeyOf: () => string | undefined;
  close(): Promise<void>;
}

/** An SSH server in place of a box's, which writes down what it is told to do. */
export async function createScriptedSsh(): Promise<ScriptedSsh> {
  const strange = generateWholePair(ssh2, 'strange').private;
  const sockets = new Set<Socket>();
  const tcp = createServer((socket) => {
    sockets.add(socket);
    serve(script, script.hostKeyOf() ?? strange).injectSocket(socket);
  });
  await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve));
  const script: ScriptedSsh = {
    port: (tcp.address() as AddressInfo).port,
    runs: [],
    answer: { code: 0, lines: [] },
    hostKeyOf: () => undefined,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => tcp.close(resolve));
    },
  };
  return script;
}

function serve(script: ScriptedSsh, hostKey: string): InstanceType<typeof ssh2.Server> {
  const server = new ssh2.Server({ hostKeys: [hostKey] });
  server.on('connection', (client) => {
    const who = { user: '', key: '' };
    client.on('error', () => {});
    client.on('authentication', (context) => {
      if (context.method !== 'publickey') return context.reject(['publickey']);
      Object.assign(who, { user: context.username, key: context.key.data.toString('base64') });
      context.accept();
    });
    client.on('session', (accept) => {
      accept().on('exec', (take, _reject, { command }) => {
        const channel = take();
        let stdin = '';
        channel.setEncoding('utf8').on('data', (text: string) => (stdin += text));
        channel.on('end', () => {
          script.runs.push({ ...who, line: command, stdin });
          for (const line of script.answer.lines) channel.write(`${line}\n`);
          channel.exit(script.answer.code);
          channel.end();
        });
      });
    });
  });
  return server;
}
