import path from 'node:path';
import type { createColors } from 'picocolors';
import type { MachineChoice } from './machines.ts';
import type { Parts } from './parts.ts';
import type { Prepared } from './prepare.ts';
import type { StateFolder } from './state-folder.ts';
import { formatSeconds } from './terminal.ts';
import { VENDORS } from './vendors.ts';
import type { VendorChoice, VendorName } from './vendors.ts';

export interface RunDescription {
  parts: Pick<Parts, 'baseUrl' | 'urls'>;
  choice: Pick<VendorChoice, 'sandboxed'>;
  machines: MachineChoice;
  prepared: Pick<Prepared, 'engine' | 'plugins'>;
  folder: Pick<StateFolder, 'dir' | 'logs' | 'bin'>;
  root: string;
  colors: ReturnType<typeof createColors>;
  /** How long it took. */
  ms: number;
}

const NAMES: Record<VendorName, string> = {
  stripe: 'Stripe',
  github: 'GitHub',
  contabo: 'Contabo',
  hostinger: 'Hostinger',
  cloudflare: 'Cloudflare',
  anthropic: 'Anthropic',
  openai: 'OpenAI',
};

/** The lines that `npm start` ends with: what runs where, which vendor is real, what to do next. */
export function describeRun({ parts, choice, machines, prepared, folder, root, colors, ms }: RunDescription): string[] {
  const { bold, cyan, dim } = colors;
  const here = (file: string): string => path.relative(root, file);
  const sandboxed = VENDORS.filter((name) => choice.sandboxed.includes(name));
  const real = VENDORS.filter((name) => !choice.sandboxed.includes(name));
  const list = (names: VendorName[]): string => names.map((name) => NAMES[name]).join(', ');
  const rows: [string, string][] = [
    ['Spoq', cyan(parts.baseUrl)],
    ['Sandbox', `${cyan(parts.urls.page)}  ${dim('vendors, machines, mails, requests, faults')}`],
    ...(real.length === 0 ? [] : [['Real', bold(list(real))] as [string, string]]),
    ['Sandboxed', sandboxed.length === VENDORS.length ? `every vendor: ${list(sandboxed)}` : list(sandboxed)],
    ['Machines', `${describeMachines(machines)} ${dim(`(${machines.because})`)}`],
    [
      'Engine',
      `Pulumi ${prepared.engine.version} ${dim(`from ${prepared.engine.source}; plugins: ${prepared.plugins.source}`)}`,
    ],
    ['Logs', here(folder.logs)],
  ];
  const width = Math.max(...rows.map(([name]) => name.length)) + 2;
  return [
    '',
    `${bold('Spoq is running')} ${dim(`(${formatSeconds(ms)})`)}`,
    '',
    ...rows.map(([name, value]) => `  ${dim(name.padEnd(width))}${value}`),
    '',
    `  1. Open ${cyan(parts.baseUrl)}, subscribe, sign in and watch your box being made.`,
    `  2. ${bold(`${here(folder.bin)}/spoq init`)}, then ${bold(`${here(folder.bin)}/spoq ask "what is in this folder?"`)}`,
    ...(real.includes('stripe')
      ? [`     Stripe is real: forward its events to ${parts.baseUrl}/api/subscription/webhook.`]
      : []),
    '',
    `  ${dim('Ctrl-C ends everything; users and boxes are kept. `npm start -- --fresh` forgets them.')}`,
    '',
  ];
}

function describeMachines(machines: MachineChoice): string {
  if (machines.kind === 'process') return 'conductor processes: nothing boots, nobody signs in by SSH';
  return `systems that boot, ${machines.limit} at most, each with an address, sshd and a certificate`;
}
