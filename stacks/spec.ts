import { z } from 'zod';
import { type Fault, SpoqError } from '../contract/errors.ts';
import { MACHINE_OPERATIONS, PROVIDERS } from '../contract/vps.ts';

// Nothing that ends up in a file of the box may hold a control character: cloud-init, systemd and shells all read lines.
const line = z.string().regex(/^[^\p{Cc}\u2028\u2029]*$/u, 'has a control character');
const text = line.min(1, 'is empty');
const httpUrl = line.pipe(z.url({ protocol: /^https?$/, error: 'is not an http(s) URL' }));
const hostName = z
  .string()
  .max(253)
  .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+$/, 'is not a host name');

// What systemd's EnvironmentFile reads as it is written: no quotes, spaces, backslashes or comment signs.
const plainKey = z.string().regex(/^[A-Za-z0-9._~+/=:@%-]+$/, 'holds a character that no key has');

/** Contabo refuses anything but letters, digits, spaces and dashes in a display name, so a stack's name has no dots. */
const STACK_NAME = /^box-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/**
 * How far a move is. `copy`: both machines are there, the box serves on its own and is copied; `switch`: it rests there, what is new
 * is copied, its name leads to the other; `return`: it stays where it is, and is woken.
 */
export const MOVE_STAGES = ['copy', 'switch', 'return'] as const;

const time = z.string().regex(/^([01][0-9]|2[0-3]):[0-5][0-9]$/, 'is not a time of day');
const place = {
  provider: z.enum(PROVIDERS),
  region: text.describe("The vendor's own region id"),
  product: text.describe("The vendor's own product id (Contabo) or price item id (Hostinger)"),
};

/** Everything that a stack program must know to make one box. Secrets in it become Pulumi secrets. */
export const BoxSpec = z.object({
  stack: z
    .string()
    .regex(STACK_NAME, 'is not box-<uuid>')
    .describe('Name of the stack and of the instance at the vendor'),
  owner_id: z.uuid(),
  hostname: hostName.describe('alice.spoq.dev'),
  url: httpUrl.describe('Where the box answers: https://alice.spoq.dev'),
  ...place,
  machine: z
    .number()
    .int()
    .nonnegative()
    .default(0)
    .describe('Which of its machines the box runs on: the number of the move that brought it there'),
  move: z
    .object({ ...place, machine: z.number().int().positive(), stage: z.enum(MOVE_STAGES), reboot_time: time })
    .optional()
    .describe('Where the box is being moved to, and how far that is'),
  image: text.optional().describe("The vendor's image or template; its newest Ubuntu 24.04 when left out"),
  operation: z
    .object({
      name: z.enum(MACHINE_OPERATIONS),
      number: z.number().int().positive(),
      address: z.ipv4().optional().describe('Of the machine; it stays'),
    })
    .optional()
    .describe('What is to be done to the machine besides, once; its number is never used again'),
  password_crypt: line.regex(/^\$6\$[^:]+$/, 'is not a $6$ crypt hash').describe('Secret'),
  auth: z.object({
    issuer: httpUrl,
    algorithm: z.enum(['RS256', 'HS256']),
    jwks_url: httpUrl.optional(),
    jwt_secret: line.min(32).optional().describe('Secret; HS256 only'),
    revocations_url: httpUrl.optional().describe('HS256 only; beside the keys otherwise'),
  }),
  ai: z.object({
    provider: z.enum(['anthropic', 'openai']),
    model: text.optional(),
    anthropic_base_url: httpUrl.optional(),
    openai_base_url: httpUrl.optional(),
  }),
  model_keys: z
    .object({ anthropic: plainKey.optional(), openai: plainKey.optional() })
    .refine((keys) => keys.anthropic !== undefined || keys.openai !== undefined, 'holds no key')
    .describe('Secret'),
  releases: z.object({
    base_url: httpUrl.describe('Where <name>-linux-<arch> are'),
    version: text.optional().describe('Of the release that is there, where that is known'),
    sha256: z.record(z.string().regex(/^[a-z0-9-]+$/), z.string().regex(/^[0-9a-f]{64}$/)).default({}),
  }),
  acme: z
    .object({
      directory_url: httpUrl,
      ca_pem: z
        .string()
        .regex(/^-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n -]+-----END CERTIFICATE-----\n$/)
        .optional(),
    })
    .optional()
    .describe("Who gives the box's certificate, and what that server's own is trusted by; Let's Encrypt when left out"),
  report: z
    .object({
      url: httpUrl.describe('Where the box tells how far its set-up is'),
      token: z
        .string()
        .regex(/^[A-Za-z0-9_-]{32,200}$/, 'is not a boot token')
        .describe('Secret; good for one set-up'),
    })
    .optional()
    .describe('Left out: the box does not report'),
  reboot_time: time
    .default('04:00')
    .describe('When security updates may reboot the box, in UTC: at night where it stands'),
  converge: z
    .enum(['ssh', 'none'])
    .default('ssh')
    .describe('How a box that lives is changed; none for machines without an SSH server'),
  dns: z.object({
    zone_id: z.string().regex(/^[0-9a-f]{32}$/, 'is not a zone id'),
    ttl_seconds: z.number().int().min(60).max(86_400).default(60),
  }),
});
export type BoxSpec = z.infer<typeof BoxSpec>;

/**
 * Parses a spec.
 * @throws SpoqError `invalid_request` with every fault at once; values are never part of a message.
 */
export function parseBoxSpec(value: unknown): BoxSpec {
  const result = BoxSpec.safeParse(value);
  const faults: Fault[] = result.success
    ? []
    : result.error.issues.map((i) => ({ field: i.path.join('.') || 'spec', message: i.message }));
  if (result.success) faults.push(...crossFaults(result.data));
  if (!result.success || faults.length > 0)
    throw new SpoqError('invalid_request', {
      detail: `The box's specification has ${faults.length} fault${faults.length === 1 ? '' : 's'}: ${faults.map((f) => `${f.field} ${f.message}`).join('; ')}`,
      faults,
    });
  return result.data;
}

function crossFaults({ auth, ai, move, converge, model_keys: keys }: BoxSpec): Fault[] {
  const faults: Fault[] = [];
  if (auth.algorithm === 'RS256' && auth.jwks_url === undefined)
    faults.push({ field: 'auth.jwks_url', message: 'is missing, and tokens are RS256' });
  if (auth.algorithm === 'HS256' && auth.jwt_secret === undefined)
    faults.push({ field: 'auth.jwt_secret', message: 'is missing, and tokens are HS256' });
  if (move !== undefined && converge === 'none')
    faults.push({ field: 'move', message: 'needs a machine with an SSH server' });
  if (keys[ai.provider] === undefined)
    faults.push({ field: `model_keys.${ai.provider}`, message: 'is missing, and the box asks this provider' });
  return faults;
}
