import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { delimiter, join } from 'node:path';
import { waitFor } from '../../../test/harness/wait.ts';
import { findFreePort } from '../../../tools/ports.ts';

export interface RunningSshd {
  port: number;
  stop(): Promise<void>;
}

/** The system's own sshd. It must be called by its whole path. */
export function findSshd(): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  return folders.map((folder) => join(folder, 'sshd')).find((file) => existsSync(file));
}

/** Starts an sshd of its own on loopback that lets in this process' user, by one key. */
export async function startSshd(
  program: string,
  keys: { hostKey: string; authorizedKey: string },
): Promise<RunningSshd> {
  const folder = mkdtempSync(join(tmpdir(), 'spoq-sshd-'));
  const port = await findFreePort();
  const write = (name: string, text: string): string => {
    const file = join(folder, name);
    writeFileSync(file, text.endsWith('\n') ? text : `${text}\n`);
    chmodSync(file, 0o600);
    return file;
  };
  const config = [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
    `HostKey ${write('host_key', keys.hostKey)}`,
    `AuthorizedKeysFile ${write('authorized_keys', keys.authorizedKey)}`,
    `PidFile ${join(folder, 'pid')}`,
    `AllowUsers ${userInfo().username}`,
    'PermitRootLogin prohibit-password',
    'PasswordAuthentication no',
    'StrictModes no',
    'UsePAM no',
    '',
  ].join('\n');
  // What Debian's unit makes before it starts one; a server that runs as root wants it.
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  const child = spawn(program, ['-D', '-e', '-f', write('sshd_config', config)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await waitFor('sshd to listen', () => {
      if (child.exitCode !== null) throw new Error(`sshd ended: ${said}`);
      return answers(port);
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return { port, stop };
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('data', () => resolve(!!socket.destroy()));
    socket.once('error', () => resolve(false));
  });
}
