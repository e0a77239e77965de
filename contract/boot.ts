import { z } from 'zod';

/**
 * The steps of a box's own set-up, in order: those of cloud-init/setup.sh. `doing` and `done` are the words that a customer reads.
 */
export const BOOT_STEPS = {
  account: { doing: 'Making your account', done: 'Your account is there' },
  sshd: { doing: 'Locking SSH down', done: 'SSH lets in you alone' },
  packages: { doing: 'Installing packages', done: 'Packages are installed' },
  firewall: { doing: 'Closing the firewall', done: 'Only SSH and HTTPS are open' },
  programs: { doing: 'Installing Spoq', done: 'Spoq is installed' },
  conductor: { doing: 'Starting the conductor', done: 'The conductor runs' },
  caddy: { doing: 'Starting HTTPS', done: 'HTTPS is on' },
} as const;
export type BootStep = keyof typeof BOOT_STEPS;
export const BOOT_STEP_NAMES = Object.keys(BOOT_STEPS) as [BootStep, ...BootStep[]];

/** Where a box reports. */
export const BOOT_REPORTS_PATH = '/api/boot/reports';

export const BOOT_STATES = ['started', 'done', 'failed'] as const;
export type BootState = (typeof BOOT_STATES)[number];

/** POST /api/boot/reports, with the boot token as bearer: how one step of a box's set-up stands. From a form or JSON. */
export const BootReport = z.strictObject({
  step: z.enum(BOOT_STEP_NAMES),
  state: z.enum(BOOT_STATES),
  log: z.string().max(12_000).default('').describe('Of a step that failed: the last lines of what it said'),
});
export type BootReport = z.infer<typeof BootReport>;

/** A step of the box's own within an event of the box. */
export const BootPart = z.object({ step: z.enum(BOOT_STEP_NAMES), state: z.enum(BOOT_STATES) });
export type BootPart = z.infer<typeof BootPart>;
