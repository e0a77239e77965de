import { z } from 'zod';
import { BudgetReport } from './budget.ts';
import { ConversationSummary, Folder, RequestId } from './conversation.ts';
import { MODEL_NAME_CHARS } from './models.ts';

/** Bounds of one question, enforced by the conductor and kept by the CLI. */
export const ASK_LIMITS = {
  body_bytes: 12 * 1024 * 1024,
  /** Of the body, without images. */
  text_bytes: 4 * 1024 * 1024,
  files: 500,
  question_chars: 100_000,
  images: 4,
  /** Of each; the most that Anthropic takes, 5 MB, once it is written in base64. */
  image_bytes: 3_750_000,
  schema_bytes: 64 * 1024,
} as const;

/** What models see: the types that all vendors take. */
export const IMAGE_TYPES = ['image/png', 'image/jpeg', 'image/gif', 'image/webp'] as const;
export type ImageType = (typeof IMAGE_TYPES)[number];

/** POST /api/ask. */
export const AskRequest = z.object({
  question: z.string().trim().min(1).max(ASK_LIMITS.question_chars),
  files: z
    .array(z.object({ path: z.string().min(1).max(1024), content: z.string() }))
    .max(ASK_LIMITS.files)
    .default([]),
  images: z
    .array(
      z.object({
        path: z.string().min(1).max(1024),
        media_type: z.enum(IMAGE_TYPES),
        data: z.base64().max(Math.ceil(ASK_LIMITS.image_bytes / 3) * 4),
      }),
    )
    .max(ASK_LIMITS.images)
    .default([]),
  stdin: z.string().optional(),
  schema: z
    .record(z.string(), z.unknown())
    .optional()
    .describe('A JSON schema (2020-12) of an object: the answer is JSON that is valid against it, or an error'),
  request: RequestId.optional().describe('Chosen by who asks: sent again, it attaches to the answer that has begun'),
  conversation: z.uuid().optional().describe('To go on with; a new one when left out'),
  folder: Folder.optional(),
  model: z
    .string()
    .trim()
    .min(1)
    .max(MODEL_NAME_CHARS)
    .optional()
    .describe('provider/model, a model alone or an alias; the default of the box when left out'),
});
export type AskRequest = z.input<typeof AskRequest>;

/** GET /api/status. */
export const BoxStatus = z.object({
  hostname: z.string(),
  version: z.string(),
  model: z.string().nullable(),
  uptime_seconds: z.number(),
  load_average: z.number(),
  memory: z.object({ total_bytes: z.number(), free_bytes: z.number() }),
  disk: z.object({ total_bytes: z.number(), free_bytes: z.number() }),
  running: z.number().int().describe('Turns at work now'),
  versions: z
    .object({
      conductor: z.string(),
      spoq: z.string().nullable().describe('On the box; null where it is not'),
      system: z.string().nullable(),
      kernel: z.string(),
    })
    .optional()
    .describe('Of older boxes not known, as all that follows'),
  certificate: z
    .object({ name: z.string(), issuer: z.string(), ends_at: z.iso.datetime() })
    .nullish()
    .describe('What the front door of the box shows; null where it does not answer'),
  budget: BudgetReport.pick({ day: true, month: true }).optional(),
  work: z
    .array(ConversationSummary.pick({ id: true, title: true, state: true, last_kind: true, updated_at: true }))
    .optional()
    .describe('Conversations at work, and those that wait for an approval'),
  unreachable: z
    .array(z.object({ service: z.enum(['control_plane', 'model']), since: z.string(), reason: z.string() }))
    .default([])
    .describe('What the box could not reach when it last tried'),
});
export type BoxStatus = z.infer<typeof BoxStatus>;

/** GET /health of the box. Says nothing about its owner. */
export const BoxHealth = z.object({ status: z.literal('ok'), version: z.string() });
