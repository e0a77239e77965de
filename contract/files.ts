import { z } from 'zod';
import { BillingNotice } from './billing.ts';
import { ProviderName } from './models.ts';

/** `~/.spoq/credentials`, mode 0600. */
export const Credentials = z.object({
  vps_hostname: z.url(),
  access_token: z.string(),
  refresh_token: z.string(),
  expires_at: z.iso.datetime(),
  user_id: z.uuid(),
  username: z
    .string()
    .optional()
    .describe('Whose account it is, to be told; older files lack it until the next refresh'),
  notice: BillingNotice.optional().describe('As it was at the last refresh'),
});
export type Credentials = z.infer<typeof Credentials>;

/** `/etc/spoq/vps.marker`: this machine is a box, its conductor needs no login. */
export const VpsMarker = z.object({ vps: z.literal(true), conductor: z.url(), version: z.string() });
export type VpsMarker = z.infer<typeof VpsMarker>;

const Usd = z.number().nonnegative();
const RuleTexts = z.array(z.string()).default([]);

/** `/etc/conductor/config.toml`. */
export const ConductorConfig = z.object({
  server: z
    .object({
      host: z.literal('127.0.0.1').default('127.0.0.1'),
      port: z.number().int().min(0).max(65535).default(8080),
      socket: z.string().default('/run/conductor/remote.sock'),
    })
    .prefault({}),
  auth: z.object({
    owner_id: z.uuid(),
    hostname: z.string().describe('The `aud` that tokens must carry'),
    issuer: z.url(),
    algorithm: z.enum(['RS256', 'HS256']).default('RS256'),
    jwks_url: z.url().optional(),
    jwt_secret: z.string().min(32).optional(),
    revocations_url: z.url().optional().describe('Beside the keys when left out, or on the issuer'),
  }),
  files: z
    .object({
      socket: z.string().optional().describe('Where `conductor files` listens; none where left out'),
    })
    .prefault({}),
  ai: z
    .object({
      provider: ProviderName.default('anthropic').describe('Asked where nothing else is said'),
      model: z.string().optional(),
      max_output_tokens: z.number().int().positive().default(8192),
      timeout_seconds: z.number().positive().default(120).describe('Without a byte from the model'),
      anthropic_base_url: z.url().optional(),
      openai_base_url: z.url().optional(),
      fallback: z
        .array(z.string())
        .optional()
        .describe('Asked in this order where a model is overloaded or out of reach'),
      aliases: z.record(z.string(), z.string()).optional(),
      providers: z
        .record(ProviderName, z.object({ base_url: z.url(), models: z.array(z.string()).optional() }))
        .optional()
        .describe('Others, that speak as OpenAI does'),
    })
    .prefault({}),
  budget: z
    .object({ day_usd: Usd.optional(), month_usd: Usd.optional(), conversation_usd: Usd.optional() })
    .optional()
    .describe('Where `spoq budget set` has said nothing'),
  prices: z
    .record(
      z.string(),
      z.object({ input: Usd, cached_input: Usd.optional(), cache_write: Usd.optional(), output: Usd }),
    )
    .optional()
    .describe('By provider/model or model: US dollars for a million tokens'),
  rules: z
    .strictObject({ allow: RuleTexts, ask: RuleTexts, deny: RuleTexts })
    .prefault({})
    .describe('What runs may do, as `shell(git push *)`'),
  mcp: z
    .record(
      z.string().regex(/^[a-z0-9][a-z0-9_-]{0,30}$/, 'small letters, digits, hyphens'),
      z.strictObject({
        command: z.string().min(1),
        args: z.array(z.string()).default([]),
        env: z.record(z.string(), z.string()).default({}),
      }),
    )
    .default({})
    .describe('MCP servers that are started in the place of a run'),
});
export type ConductorConfig = z.infer<typeof ConductorConfig>;
