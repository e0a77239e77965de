import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { runCommand } from '../run-command.ts';
import { PASSWORD } from './signup.ts';
import { createSshClient, type SshClient } from './ssh.ts';
import { check } from './story.ts';
import type { Step } from './story.ts';
import { readBox, type World } from './world.ts';

/** The host key that a machine shows, once its fingerprint is the one that the credentials page shows. */
export async function connectBySsh(world: World): Promise<{ client: SshClient; fingerprint: string }> {
  const { ip_address: address, ssh_host_key_fingerprint: fingerprint } = await readBox(world);
  const env = { PATH: world.run.environment['PATH'] };
  const scan = await runCommand('ssh-keyscan', ['-T', '10', address], { env, timeoutMs: 20_000 });
  const keys = scan.stdout.split('\n').filter((line) => line.startsWith(`${address} `));
  check(keys.length === 1, `the machine shows ${keys.length} host keys: ${scan.stdout}${scan.stderr}`);
  const [, type = '', blob = ''] = (keys[0] ?? '').split(' ');
  const seen = `SHA256:${createHash('sha256').update(Buffer.from(blob, 'base64')).digest('base64').replace(/=+$/, '')}`;
  check(seen === fingerprint, `the machine's host key is ${seen}, and the page shows ${fingerprint}`);
  return { client: createSshClient(world, address, `${type} ${blob}`), fingerprint };
}

/** What a person does who has nothing but an SSH client and the password. */
export const PHONE: readonly Step<World>[] = [
  {
    name: 'ssh',
    title: 'SSH with the password',
    async run(world) {
      const { client, fingerprint } = await connectBySsh(world);
      const { code, stdout, stderr } = await client.ssh(
        { password: PASSWORD },
        'id -un; sudo -n true 2>&1; echo "$HOME"',
      );
      check(code === 0 && /^spoq\n[^]*\/home\/spoq\n$/.test(stdout), `ssh ended with ${code}: ${stdout}${stderr}`);
      return `${fingerprint}, as the page shows`;
    },
  },
  {
    name: 'ssh_ask',
    title: 'spoq ask on the box',
    async run(world) {
      const { client } = await connectBySsh(world);
      const before = (await world.requests('anthropic')).length;
      const { code, stdout, stderr } = await client.ssh({ password: PASSWORD }, 'spoq ask "What is this machine?"');
      check(code === 0 && stdout.trim() !== '', `spoq ask ended with ${code}: ${stdout}${stderr}`);
      check((await world.requests('anthropic')).length === before + 1, 'the model was not asked once');
      const narrow = await client.ssh({ password: PASSWORD, flags: ['-tt'] }, 'stty cols 40; spoq help');
      const longest = Math.max(
        ...narrow.stdout
          .replaceAll('\r', '')
          .split('\n')
          .map((line) => line.length),
      );
      check(narrow.code === 0 && longest <= 40, `help at 40 columns has a line of ${longest}`);
      return `${stdout.trim().length} characters, without a login`;
    },
  },
  {
    name: 'ssh_refusals',
    title: 'Nobody else gets in by SSH',
    async run(world) {
      const { client } = await connectBySsh(world);
      for (const [who, options] of [
        ['a wrong password', { password: `${PASSWORD}?` }],
        ['root with the password', { user: 'root', password: PASSWORD }],
        ["the vendor's account", { user: 'admin', password: PASSWORD }],
      ] as const) {
        const { code, stderr } = await client.ssh(options, 'id');
        check(code === 255 && /Permission denied/.test(stderr), `${who}: ssh ended with ${code}: ${stderr}`);
      }
      const flags = ['-o', 'ExitOnForwardFailure=yes', '-W', '127.0.0.1:8080'];
      const forward = await client.ssh({ password: PASSWORD, flags }, '');
      const isRefused = forward.code === 255 && /forwarding failed|prohibited/.test(forward.stderr);
      check(isRefused, `a forwarded port: ${forward.code} ${forward.stderr}`);
      return 'wrong password, root, the vendor’s account and forwarded ports';
    },
  },
  {
    name: 'copying',
    title: 'scp, sftp, rsync, mosh',
    async run(world) {
      const { client } = await connectBySsh(world);
      const folder = path.join(world.run.scratch, 'copied');
      mkdirSync(folder, { recursive: true });
      const file = path.join(folder, 'tides.bin');
      writeFileSync(file, Buffer.from(Array.from({ length: 70_000 }, (_, index) => index % 251)));
      const password = { password: PASSWORD };
      const steps = [
        ['scp', [file, '@box:scp.bin']],
        ['rsync', ['-a', file, '@box:rsync.bin']],
        ['scp', ['@box:rsync.bin', path.join(folder, 'back.bin')]],
      ] as const;
      for (const [program, args] of steps) {
        const { code, stderr } = await client.copy(program, password, args);
        check(code === 0, `${program} ended with ${code}: ${stderr}`);
      }
      const same = readFileSync(file).equals(readFileSync(path.join(folder, 'back.bin')));
      check(same, 'what came back is not what went there');
      const batch = path.join(folder, 'batch');
      writeFileSync(batch, 'ls scp.bin\n');
      const sftp = await client.copy('sftp', { ...password, flags: ['-o', 'BatchMode=no', '-b', batch] }, ['@box']);
      check(sftp.code === 0 && sftp.stdout.includes('scp.bin'), `sftp ended with ${sftp.code}: ${sftp.stderr}`);
      const mosh = await client.ssh(password, 'mosh-server new -s -c 8 -l LANG=C.UTF-8 -- true');
      check(/^\s*MOSH CONNECT \d+ \S{22}\s*$/m.test(mosh.stdout), `mosh-server said ${mosh.stdout}${mosh.stderr}`);
      return 'the welcome is in nobody’s way';
    },
  },
];
