import { z } from 'zod';

/** How a provider is named in the configuration, in `--model` and in addresses. */
export const ProviderName = z.string().regex(/^[a-z][a-z0-9-]{0,31}$/, 'lower-case letters, digits and -');

export const MODEL_NAME_CHARS = 200;

const Rates = z.object({
  input_usd: z.number(),
  cached_input_usd: z.number(),
  cache_write_usd: z.number(),
  output_usd: z.number(),
});

/** GET /api/models: what can be asked here, and what it costs: US dollars for a million tokens. */
export const ModelList = z.object({
  default: z.string().describe('provider/model'),
  fallback: z.array(z.string()).describe('Asked in this order where a model is overloaded or cannot be reached'),
  aliases: z.record(z.string(), z.string()),
  models: z.array(
    z.object({
      name: z.string().describe('provider/model'),
      provider: z.string(),
      model: z.string(),
      ready: z.boolean().describe('Whether its provider has a key'),
      price: Rates.extend({
        long: Rates.extend({ over_tokens: z.number().int() }).nullable().describe('Where the input has more tokens'),
        source: z.string(),
        as_of: z.string(),
      }).nullable(),
    }),
  ),
});
export type ModelList = z.infer<typeof ModelList>;

/** A key as its provider gives it: printable, without spaces. */
export const ModelKey = z
  .string()
  .trim()
  .min(8, 'too short for a key')
  .max(512, 'too long for a key')
  .regex(/^[\x21-\x7e]+$/, 'a key has no spaces, and only letters, digits and signs');

export const KEY_LIMITS = { body_bytes: 4096 } as const;

/** PUT /api/keys/:provider. */
export const SetKeyRequest = z.strictObject({
  key: ModelKey,
  check: z.boolean().default(true).describe('Ask the provider whether it takes it, before it replaces the old one'),
});

const KeyState = z.enum(['works', 'refused', 'not_checked']);

/** GET /api/keys: never a key itself. */
export const KeyList = z.object({
  keys: z.array(
    z.object({
      provider: z.string(),
      source: z.enum(['own', 'spoq']).describe('own: given with PUT; spoq: the box came with it'),
      last_four: z.string(),
      set_at: z.iso.datetime().nullable(),
      state: KeyState.describe('When it was last used or checked'),
    }),
  ),
  providers: z.array(z.string()).describe('Those that keys can be given for'),
});
export type KeyList = z.infer<typeof KeyList>;
