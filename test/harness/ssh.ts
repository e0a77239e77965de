import { spawn } from 'node:child_process';
import { chmodSync, existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';

export interface SshAnswer {
  code: number;
  /** As the bytes came, one character each. */
  stdout: string;
  stderr: string;
}

export interface SshOptions {
  program?: 'ssh' | 'scp' | 'sftp';
  user?: string;
  /** With one of these: a password, or a file with a private key. */
  password?: string;
  identity?: string;
  flags?: string[];
  /** For scp: the file there. */
  command: string[];
  input?: string;
}

const ASK = '#!/bin/sh\nprintf "%s\\n" "$SPOQ_TEST_PASSWORD"\n';

/**
 * Runs a real SSH client that knows one host key and nothing of this machine's own settings. Its files are kept in `folder`.
 */
export async function runSsh(
  folder: string,
  host: { address: string; hostKey: string },
  options: SshOptions,
): Promise<SshAnswer> {
  const { program = 'ssh', user = 'spoq', password, identity, flags = [], command, input } = options;
  const knownHosts = path.join(folder, 'known_hosts');
  const ask = path.join(folder, 'ask');
  writeFileSync(knownHosts, `${host.address} ${host.hostKey}`);
  if (!existsSync(ask)) {
    writeFileSync(ask, ASK);
    chmodSync(ask, 0o700);
  }
  const settings = {
    UserKnownHostsFile: knownHosts,
    GlobalKnownHostsFile: '/dev/null',
    StrictHostKeyChecking: 'yes',
    ConnectTimeout: '10',
    NumberOfPasswordPrompts: '1',
    PubkeyAuthentication: identity === undefined ? 'no' : 'yes',
    PasswordAuthentication: identity === undefined ? 'yes' : 'no',
    ...(identity === undefined ? {} : { IdentityFile: identity, IdentitiesOnly: 'yes' }),
  };
  const args = [
    '-F',
    '/dev/null',
    ...Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]),
    ...flags,
  ];
  const target = `${user}@${host.address}`;
  args.push(...(program === 'scp' ? [`${target}:${command.join(' ')}`] : [target, ...command]));
  const child = spawn(program, args, {
    // A session without a terminal, so that the password is asked of the program and not of whoever runs the tests.
    detached: true,
    env: {
      ...process.env,
      SSH_ASKPASS: ask,
      SSH_ASKPASS_REQUIRE: 'force',
      SPOQ_TEST_PASSWORD: password ?? '',
      TERM: 'xterm',
    },
    timeout: 60_000,
  });
  const answer = { code: -1, stdout: '', stderr: '' };
  child.stdout.setEncoding('latin1').on('data', (text: string) => (answer.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (answer.stderr += text));
  child.stdin.on('error', () => {});
  child.stdin.end(input ?? '');
  answer.code = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve(code ?? -1));
  });
  return answer;
}
