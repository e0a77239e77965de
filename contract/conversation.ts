import { z } from 'zod';

/** Bounds of what is asked of conversations. */
export const CONVERSATION_LIMITS = { listed: 200, title_chars: 120, folder_chars: 200 } as const;

/** A turn's request id, chosen by the client: sent again, it attaches to the turn that is there instead of beginning another. */
export const RequestId = z.uuid();
export const TURN_KINDS = ['ask', 'run', 'exec'] as const;
export const TurnKind = z.enum(TURN_KINDS);
export type TurnKind = z.infer<typeof TurnKind>;

/** Where the person was: `key` is the same for the same folder on the same computer, `name` is for reading. */
export const Folder = z.strictObject({
  key: z.string().min(1).max(CONVERSATION_LIMITS.folder_chars),
  name: z.string().min(1).max(CONVERSATION_LIMITS.folder_chars),
});
export type Folder = z.infer<typeof Folder>;

const Money = z.number().nonnegative().nullable().describe('US dollars; null when the price is not known');
const Tokens = z.number().int().nonnegative().nullable();

/**
 * The numbered events of a conversation. On the wire: `id: <number>`, `event: <type>`, `data: <this object>`. Each is on the
 * box's disk before anybody sees it.
 */
export const ConversationEvent = z.discriminatedUnion('type', [
  z.object({
    type: z.literal('start'),
    id: z.string().describe('Of the request, as in the log of the box'),
    conversation: z.uuid(),
    turn: z.number().int().positive(),
    kind: TurnKind,
    text: z.string().describe('What was asked'),
    model: z.string().nullable(),
    at: z.iso.datetime(),
  }),
  z.object({ type: z.literal('text'), text: z.string() }),
  z.object({
    type: z.literal('tool_call'),
    call: z.string(),
    tool: z.string(),
    title: z.string().describe('What it does, in one line for a person'),
    input: z.unknown(),
  }),
  z.object({
    type: z.literal('tool_output'),
    call: z.string(),
    stream: z.enum(['stdout', 'stderr']),
    text: z.string().optional(),
    data: z.base64().optional().describe('Instead of text, where the bytes are not UTF-8'),
  }),
  z.object({
    type: z.literal('tool_result'),
    call: z.string(),
    outcome: z.enum(['ok', 'failed', 'denied', 'interrupted']),
    summary: z.string().describe('One line for a person'),
    exit_code: z.number().int().optional(),
  }),
  z.object({
    type: z.literal('approval_request'),
    approval: z.uuid(),
    call: z.string(),
    tool: z.string(),
    title: z.string(),
    rule: z.string().describe('What "always" would allow'),
  }),
  z.object({
    type: z.literal('approval'),
    approval: z.uuid(),
    decision: z.enum(['allow', 'always', 'deny']),
    by: z.string().describe('Where it was decided'),
  }),
  z.object({
    type: z.literal('changes'),
    files: z.number().int(),
    added_lines: z.number().int(),
    removed_lines: z.number().int(),
  }),
  z.object({ type: z.literal('notice'), code: z.string(), message: z.string() }),
  z.object({ type: z.literal('exit'), code: z.number().int().nullable(), signal: z.string().nullable() }),
  z.object({
    type: z.literal('done'),
    stop_reason: z.string(),
    input_tokens: Tokens,
    output_tokens: Tokens,
    cost_usd: Money.optional(),
    model: z.string().optional().describe('The one that answered'),
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
export type ConversationEvent = z.infer<typeof ConversationEvent>;

/** How a conversation stands: one turn at a time is at work in it. */
export const CONVERSATION_STATES = ['idle', 'running', 'waiting', 'interrupted'] as const;

/** One line of GET /api/conversations. */
export const ConversationSummary = z.object({
  id: z.uuid(),
  title: z.string(),
  folder: z.string().nullable().describe('Its name'),
  state: z
    .enum(CONVERSATION_STATES)
    .describe('waiting: for an approval; interrupted: its last turn was cut off by the box'),
  last_kind: TurnKind,
  workspace: z.string().nullable().default(null).describe('Of which it has a copy'),
  changed_files: z.number().int().nullable().default(null).describe('In that copy, when it was last looked at'),
  turns: z.number().int(),
  last_event: z.number().int(),
  created_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
  input_tokens: z.number().int(),
  output_tokens: z.number().int(),
  cost_usd: z.number(),
});
export type ConversationSummary = z.infer<typeof ConversationSummary>;

/** GET /api/conversations: the latest first. */
export const ConversationList = z.object({ conversations: z.array(ConversationSummary), more: z.boolean() });
export type ConversationList = z.infer<typeof ConversationList>;

/** POST /api/conversations/:id/interrupt */
export const Interrupted = z.object({ interrupted: z.boolean() });
