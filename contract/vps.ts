import { z } from 'zod';
import { BillingNotice } from './billing.ts';
import { BootPart } from './boot.ts';

export const PROVIDERS = ['contabo', 'hostinger'] as const;
export type ProviderName = (typeof PROVIDERS)[number];

/** The states of a box: the column `user_vps.status`. */
export const VPS_STATUSES = ['pending', 'provisioning', 'ready', 'failed', 'terminated'] as const;
export type VpsStatus = (typeof VPS_STATUSES)[number];

/** What can be done to a box that is there: the column `user_vps.operation`. */
export const OPERATIONS = ['restart', 'rebuild', 'move', 'password', 'suspend', 'resume'] as const;
export type OperationName = (typeof OPERATIONS)[number];
/** Those that are carried out on the machine itself, at its vendor. */
export const MACHINE_OPERATIONS = ['restart', 'rebuild', 'suspend', 'resume'] as const;
/** Those of them that people ask for; a box is suspended and resumed by what is paid for it. */
export const ASKED_OPERATIONS = ['restart', 'rebuild'] as const;
export type MachineOperation = (typeof MACHINE_OPERATIONS)[number];

/** The named steps of work on a box, in order, with the words that a customer reads. */
export const STEPS = {
  queued: 'Waiting for a free worker',
  keys: 'Making your keys',
  machine: 'Getting your machine',
  files: 'Copying your files',
  address: 'Naming it',
  box: 'Starting your box',
  ready: 'Ready',
} as const;
export type StepName = keyof typeof STEPS;
export const STEP_NAMES = Object.keys(STEPS) as StepName[];
/** Those of setting up a box. */
export const { files: _files, ...SETUP_STEPS } = STEPS;

/** POST /api/vps/provision. */
export const ProvisionRequest = z.strictObject({
  region: z
    .string()
    .min(1)
    .max(40)
    .describe("One of the provider's regions, as the page /setup/region lists them; the nearest when left out")
    .optional(),
  time_zone: z
    .string()
    .max(64)
    .optional()
    .describe('IANA name of the time zone that the nearest region is looked for from'),
  retry: z.boolean().optional().describe('Try again after a failure'),
});
export type ProvisionRequest = z.infer<typeof ProvisionRequest>;

/** POST /setup/password. The rules of passwords are told by `weak_password`, one fault for each that is missed. */
export const SetPasswordRequest = z.strictObject({
  password: z.string().max(4096),
  time_zone: z.string().max(64).optional().describe('IANA name of the time zone of the browser'),
});

/** POST /account/{operation}. */
export const OperateRequest = z.strictObject({
  hostname: z
    .string()
    .max(300)
    .optional()
    .describe("The box's name, where something is lost that nobody can bring back"),
  to: z.string().max(60).optional().describe('Of a move: `<provider>/<region>`, as the page /account/move lists them'),
});

/** One numbered line of progress. SSE carries it as `event: progress` with `id: <seq>`. */
export const VpsEvent = z.object({
  seq: z.number().int(),
  step: z.enum(STEP_NAMES as [StepName, ...StepName[]]),
  state: z.enum(['started', 'progress', 'done', 'failed']),
  message: z.string(),
  part: BootPart.optional().describe('Of the step `box`: what the machine tells of its own set-up'),
  at: z.iso.datetime(),
});
export type VpsEvent = z.infer<typeof VpsEvent>;

/** GET /api/vps/status as JSON, and `event: status` of its stream. */
export const VpsResource = z.object({
  id: z.uuid(),
  status: z.enum(VPS_STATUSES),
  provider: z.enum(PROVIDERS),
  region: z.string(),
  hostname: z.string(),
  url: z.url(),
  ip_address: z.string().nullable(),
  ssh_username: z.string(),
  ssh_host_key_fingerprint: z.string().nullable(),
  failure: z.string().nullable().describe('Why it failed, in words for the customer'),
  operation: z.enum(OPERATIONS).nullable().describe('What is being done to it, or was tried last and failed'),
  operation_failure: z.string().nullable().describe('Why that operation failed; null while it is going on'),
  suspended_at: z.iso.datetime().nullable().describe('Since when its machine is switched off because nothing is paid'),
  notice: BillingNotice.nullable().describe('What its owner must know about what they pay'),
  created_at: z.iso.datetime(),
  ready_at: z.iso.datetime().nullable(),
  events: z.array(VpsEvent),
});
export type VpsResource = z.infer<typeof VpsResource>;
