import { z } from 'zod';

/** Bounds of one question, enforced by the conductor and kept by the CLI. */
export const ASK_LIMITS = { body_bytes: 4 * 1024 * 1024, files: 500, question_chars: 100_000 } as const;

/** POST /api/ask. */
export const AskRequest = z.object({
  question: z.string().trim().min(1).max(ASK_LIMITS.question_chars),
  files: z
    .array(z.object({ path: z.string().min(1).max(1024), content: z.string() }))
    .max(ASK_LIMITS.files)
    .default([]),
  stdin: z.string().optional(),
});
export type AskRequest = z.input<typeof AskRequest>;

/** The events of an answer's stream. On the wire: `id: <n>`, `event: <type>`, `data: <this object>`. */
export const AskEvent = z.discriminatedUnion('type', [
  z.object({ type: z.literal('start'), id: z.string(), model: z.string() }),
  z.object({ type: z.literal('text'), text: z.string() }),
  z.object({
    type: z.literal('done'),
    stop_reason: z.string(),
    input_tokens: z.number().int().nullable(),
    output_tokens: z.number().int().nullable(),
  }),
  z.object({
    type: z.literal('error'),
    code: z.string(),
    title: z.string(),
    detail: z.string().optional(),
    next_step: z.string(),
    retry_after_seconds: z.number().optional(),
  }),
]);
export type AskEvent = z.infer<typeof AskEvent>;

/** GET /api/status. */
export const BoxStatus = z.object({
  hostname: z.string(),
  version: z.string(),
  model: z.string().nullable(),
  uptime_seconds: z.number(),
  load_average: z.number(),
  memory: z.object({ total_bytes: z.number(), free_bytes: z.number() }),
  disk: z.object({ total_bytes: z.number(), free_bytes: z.number() }),
  running: z.number().int().describe('Answers being streamed now'),
  unreachable: z
    .array(z.object({ service: z.enum(['control_plane', 'model']), since: z.string(), reason: z.string() }))
    .default([])
    .describe('What the box could not reach when it last tried'),
});
export type BoxStatus = z.infer<typeof BoxStatus>;

/** GET /health of the box. Says nothing about its owner. */
export const BoxHealth = z.object({ status: z.literal('ok'), version: z.string() });
