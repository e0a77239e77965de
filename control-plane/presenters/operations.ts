import { PLANS } from '../../contract/billing.ts';
import type { OperationName, StepName } from '../../contract/vps.ts';
import type { UserVpsRow } from '../db/user-vps.ts';
import { findRegion } from '../regions/regions.ts';

/** What an operation does to a box, in plain words: the preview that is read before anything is begun. */
export interface OperationPreview {
  operation: AskedOperation;
  title: string;
  /** On the button that begins it. */
  button: string;
  changes: string;
  lost: string;
  kept: string;
  away: string;
  costs: string;
  /** Its owner must type the box's name: something is lost that nobody can bring back. */
  destructive: boolean;
}

/** What each is called in the middle of a sentence. */
export const OPERATION_NOUNS: Record<OperationName, string> = {
  restart: 'restart',
  rebuild: 'rebuild',
  move: 'move',
  password: 'change of the password',
  suspend: 'switch-off',
  resume: 'switch-on',
};

/** What the box does meanwhile. */
export const OPERATION_WHEREABOUTS: Record<OperationName, string> = {
  restart: 'is away until this ends',
  rebuild: 'is away until this ends',
  move: 'serves on where it is until its last changes are copied',
  password: 'stays where it is',
  suspend: 'is switched off, with everything on its disk kept',
  resume: 'is away until this ends',
};

/** How the end of each is told. */
export const OPERATION_ENDS: Record<OperationName, string> = {
  restart: 'Your box is back, and answers.',
  rebuild: 'Your box is back, and answers.',
  move: 'Your box is on its new machine, and answers.',
  password: 'Your new password is in force.',
  suspend: 'Your box is switched off. Everything on its disk is kept.',
  resume: 'Your box is back, and answers.',
};

/** The steps of each, with the words that a customer reads. */
export const OPERATION_STEPS: Record<OperationName, Partial<Record<StepName, string>>> = {
  restart: {
    queued: 'Waiting for a free worker',
    machine: 'Restarting your machine',
    box: 'Waiting for your box to answer',
    ready: 'Back',
  },
  rebuild: {
    queued: 'Waiting for a free worker',
    machine: 'Installing your machine anew',
    box: 'Starting your box',
    ready: 'Back',
  },
  move: {
    queued: 'Waiting for a free worker',
    machine: 'Getting the new machine',
    files: 'Copying what is on your box',
    address: 'Leading its name there',
    box: 'Starting your box there',
    ready: 'Moved',
  },
  password: {
    queued: 'Waiting for a free worker',
    box: 'Changing the password on your box',
    ready: 'Done',
  },
  suspend: {
    queued: 'Waiting for a free worker',
    machine: 'Switching your machine off',
    ready: 'Switched off',
  },
  resume: {
    queued: 'Waiting for a free worker',
    machine: 'Switching your machine on',
    box: 'Waiting for your box to answer',
    ready: 'Back',
  },
};

export const VENDORS = { contabo: 'Contabo', hostinger: 'Hostinger' } as const;
const COSTS = 'Nothing. Your plan, its price and the day it renews stay as they are.';

/** Those that people ask for; nobody asks for a box to be suspended or resumed but what is paid for it. */
export type AskedOperation = Exclude<OperationName, 'suspend' | 'resume'>;

/** The preview of an operation on this box. */
export function presentOperation(
  operation: AskedOperation,
  { hostname, provider, ssh_username: user }: Pick<UserVpsRow, 'hostname' | 'provider' | 'ssh_username'>,
  to?: Pick<UserVpsRow, 'provider' | 'region' | 'plan'>,
): OperationPreview {
  const vendor = VENDORS[provider];
  if (operation === 'move')
    return {
      operation,
      title: 'Move your box',
      button: 'Move it',
      changes: `We get another machine${to === undefined ? ', where you say' : describePlace(to)}, copy what is on ${hostname} to it, and lead its name there. Then ${vendor} wipes the old one.`,
      lost: `Its address; open SSH sessions and programs that run; what was installed with apt, and what that keeps below /var (databases, containers). A list of the packages and a copy of /etc will be in root's home, in before-the-move.`,
      kept: 'Everything below /home, /root, /srv, /opt, /usr/local and /var/www, and cron tables; its name, its certificate and its SSH host key, your password, and the computers that are signed in.',
      away: 'A few minutes at the end, in which nobody can log in. It serves on while most of it is copied.',
      costs: COSTS,
      destructive: true,
    };
  if (operation === 'restart')
    return {
      operation,
      title: 'Restart your box',
      button: 'Restart it',
      changes: `${vendor} switches ${hostname} off and on again, and we wait until it answers.`,
      lost: 'Only what runs on it now: answers that are being written, programs, open SSH sessions.',
      kept: 'Everything on its disk, its name and address, your password, and the computers that are signed in.',
      away: 'Usually a few minutes.',
      costs: COSTS,
      destructive: false,
    };
  if (operation === 'password')
    return {
      operation,
      title: 'Change the SSH password',
      button: 'Change it',
      changes: `We set a new password for ${user} on ${hostname}, over SSH.`,
      lost: 'The password that you have now.',
      kept: 'Everything else: open SSH sessions, keys, and the computers that are signed in.',
      away: 'Not at all.',
      costs: COSTS,
      destructive: false,
    };
  return {
    operation,
    title: 'Rebuild your box',
    button: 'Wipe and rebuild it',
    changes: `${vendor} wipes ${hostname} and installs it anew: a fresh system with Spoq on it, as on its first day.`,
    lost: `Everything on its disk: all files of ${user}, all programs and settings that were added. Nobody can bring it back. Copy away first what you need.`,
    kept: 'Its name, its address and its SSH host key, your password, and the computers that are signed in.',
    away: 'About as long as its first set-up took.',
    costs: COSTS,
    destructive: true,
  };
}

function describePlace({ provider, region, plan }: Pick<UserVpsRow, 'provider' | 'region' | 'plan'>): string {
  const place = findRegion(provider, region);
  const { name, cpus, memory_gb: memory } = PLANS[plan];
  return ` at ${VENDORS[provider]} in ${place === undefined ? region : `${place.city}, ${place.country}`} (${name}: ${cpus} virtual processors, ${memory} GB of memory)`;
}

/** The same as lines of text. */
export function printOperation({ changes, lost, kept, away, costs }: OperationPreview): string {
  return [changes, `Lost: ${lost}`, `Kept: ${kept}`, `Away: ${away}`, `Costs: ${costs}`].join('\n');
}
