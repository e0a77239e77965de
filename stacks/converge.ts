import { Command } from '@pulumi/command/remote/command.js';
import { type CustomResourceOptions, type Input, secret } from '@pulumi/pulumi';
import { quoteForShell } from './box-files.ts';
import type { BoxSpec } from './spec.ts';
import type { Templates } from './templates.ts';

export interface ConvergeArgs {
  spec: BoxSpec;
  templates: Templates;
  /** The machine: another one has been told nothing yet. */
  machineId: Input<string>;
  /** The number of what was done to it last: one that was installed anew has been told nothing either. */
  lastOperation: Input<number>;
  host: Input<string>;
  /** OpenSSH private key that root of the box knows. */
  privateKey: Input<string>;
  /** The only host key that is taken. */
  hostKey: Input<string>;
}

/**
 * Where a living box is changed: cloud-init/converge.sh, run again whenever what it should be differs from what it was told last.
 * A failure keeps the state as it was, so that the next run of the stack tries again.
 */
export function createConverge(name: string, args: ConvergeArgs, options: CustomResourceOptions): Command {
  const { spec, templates, host, privateKey, hostKey, machineId, lastOperation } = args;
  return new Command(
    name,
    {
      // Four more dials, in two seconds: the box has just answered. Its firewall takes six in half a minute.
      connection: { host, user: 'root', privateKey, hostKey, perDialTimeout: 15, dialErrorLimit: 4 },
      create: 'exec bash -s',
      // Not in the command, which is shown in errors; nor in the environment, which sshd doesn't take.
      stdin: secret(renderConverge(spec, templates)),
      triggers: [machineId, lastOperation],
      addPreviousOutputInEnv: false,
    },
    options,
  );
}

/** The script with its settings in front. Pure. Secret: it holds the password's hash. */
export function renderConverge({ password_crypt, releases }: BoxSpec, templates: Templates): string {
  const digests = Object.entries(releases.sha256)
    .filter(([file]) => file.includes('-linux-'))
    .map(([file, digest]) => `${digest}  ${file}`)
    .toSorted();
  const settings = {
    SPOQ_PASSWORD_CRYPT: password_crypt,
    // Without digests nothing is known about a release, and the box keeps what it has.
    ...(digests.length > 0 ? { SPOQ_RELEASE_URL: releases.base_url, SPOQ_DIGESTS: digests.join('\n') } : {}),
  };
  const lines = Object.entries(settings).map(([setting, value]) => `${setting}=${quoteForShell(value)}\n`);
  return `${lines.join('')}${templates['quiet.sh']}${templates['converge.sh']}`;
}
