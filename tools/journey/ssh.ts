import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { runCommand } from '../run-command.ts';
import type { CommandResult } from '../run-command.ts';
import type { World } from './world.ts';

export interface SshOptions {
  /** Default spoq. */
  user?: string;
  password: string;
  /** Further options of ssh, scp or sftp. */
  flags?: readonly string[];
}

const TIMEOUT_MS = 60_000;

/** The real OpenSSH client of a person who knows a password and the box's host key, with nothing of this computer's own settings. */
export interface SshClient {
  ssh(options: SshOptions, command: string): Promise<CommandResult>;
  /** scp, sftp or rsync; `@box` in an argument stands for the person at the box. */
  copy(program: 'scp' | 'sftp' | 'rsync', options: SshOptions, args: readonly string[]): Promise<CommandResult>;
}

/** `hostKey` is a line of a public key file: what the client pins. */
export function createSshClient(world: World, address: string, hostKey: string): SshClient {
  const folder = path.join(world.run.scratch, 'ssh');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const knownHosts = path.join(folder, 'known_hosts');
  writeFileSync(knownHosts, `${address} ${hostKey.split(' ').slice(0, 2).join(' ')}\n`);
  const askpass = path.join(folder, 'askpass');
  writeFileSync(askpass, '#!/bin/sh\nprintf "%s\\n" "$JOURNEY_PASSWORD"\n', { mode: 0o700 });
  const settings = {
    UserKnownHostsFile: knownHosts,
    GlobalKnownHostsFile: '/dev/null',
    StrictHostKeyChecking: 'yes',
    PreferredAuthentications: 'password',
    PubkeyAuthentication: 'no',
    NumberOfPasswordPrompts: '1',
    ConnectTimeout: '10',
    LogLevel: 'ERROR',
  };
  const flags = ['-F', '/dev/null', ...Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`])];
  const run = (program: string, args: readonly string[], password: string): Promise<CommandResult> =>
    runCommand(program, [...args], {
      cwd: folder,
      timeoutMs: TIMEOUT_MS,
      env: {
        PATH: world.run.environment['PATH'],
        HOME: folder,
        LANG: 'C.UTF-8',
        SSH_ASKPASS: askpass,
        SSH_ASKPASS_REQUIRE: 'force',
        JOURNEY_PASSWORD: password,
      },
    });
  return {
    ssh: ({ user = 'spoq', password, flags: more = [] }, command) =>
      run('ssh', [...flags, ...more, `${user}@${address}`, command], password),
    copy: (program, { user = 'spoq', password, flags: more = [] }, args) => {
      const named = args.map((arg) => arg.replace('@box', `${user}@${address}`));
      const way = program === 'rsync' ? ['-e', ['ssh', ...flags].join(' ')] : flags;
      return run(program, [...way, ...more, ...named], password);
    },
  };
}
