import { Command } from '@pulumi/command/remote/command.js';
import { all, type CustomResourceOptions, type Input, secret } from '@pulumi/pulumi';
import { quoteForShell } from './box-files.ts';
import type { MOVE_STAGES } from './spec.ts';
import type { Templates } from './templates.ts';

export interface CarryArgs {
  stage: (typeof MOVE_STAGES)[number];
  templates: Templates;
  /** The machine that the box runs on. */
  from: Input<string>;
  /** The one that it is to run on; not there any more when it returns. */
  to?: Input<string>;
  /** OpenSSH private key that root of both machines knows. */
  privateKey: Input<string>;
  /** Of both machines. */
  hostKey: Input<string>;
}

/**
 * Takes what is on a box to another machine: cloud-init/carry.sh, on the machine that it runs on. The two speak to each other without
 * a detour; the key by which they do is on the first one only as long as the script runs.
 */
export function createCarry(name: string, args: CarryArgs, options: CustomResourceOptions): Command {
  const { stage, templates, from, to, privateKey, hostKey } = args;
  const script = all([to ?? '', privateKey, hostKey]).apply(([address, key, host]) =>
    renderCarry({ stage, address, privateKey: key, hostKey: host }, templates),
  );
  return new Command(
    name,
    {
      connection: { host: from, user: 'root', privateKey, hostKey, perDialTimeout: 15, dialErrorLimit: 4 },
      create: 'exec bash -s',
      stdin: secret(script),
      addPreviousOutputInEnv: false,
    },
    options,
  );
}

/** The script with its settings in front. Pure. Secret: it holds the stack's own key. */
export function renderCarry(
  {
    stage,
    address,
    privateKey,
    hostKey,
  }: { stage: CarryArgs['stage']; address: string; privateKey: string; hostKey: string },
  templates: Templates,
): string {
  const settings = {
    SPOQ_STAGE: stage,
    ...(stage === 'return' ? {} : { SPOQ_ADDRESS: address, SPOQ_HOST_KEY: hostKey, SPOQ_KEY: privateKey }),
  };
  const lines = Object.entries(settings).map(([setting, value]) => `${setting}=${quoteForShell(value)}\n`);
  return `${lines.join('')}${templates['quiet.sh']}${templates['carry.sh']}`;
}
