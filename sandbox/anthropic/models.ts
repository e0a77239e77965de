import { z } from 'zod';
import { describeFault } from './describe-fault.ts';
import { AnthropicError } from './errors.ts';

/** Models that the sandbox lists, newest first. Ids as Anthropic publishes them; what answers is always the sandbox model. */
const MODELS = [
  { id: 'claude-opus-5-5', display_name: 'Claude Opus 5.5', created_at: '2026-09-15T00:00:00Z' },
  { id: 'claude-sonnet-5-5', display_name: 'Claude Sonnet 5.5', created_at: '2026-09-15T00:00:00Z' },
  { id: 'claude-haiku-5-5', display_name: 'Claude Haiku 5.5', created_at: '2026-09-15T00:00:00Z' },
  { id: 'claude-opus-4-8', display_name: 'Claude Opus 4.8', created_at: '2026-05-15T00:00:00Z' },
  { id: 'claude-sonnet-4-6', display_name: 'Claude Sonnet 4.6', created_at: '2026-02-17T00:00:00Z' },
  { id: 'claude-haiku-4-5-20251001', display_name: 'Claude Haiku 4.5', created_at: '2025-10-15T00:00:00Z' },
];

/** The form of every id that Anthropic ever gave: family and version in either order, perhaps dated or `-latest`. */
const MODEL_ID = /^claude-(?:[a-z]+-\d{1,2}(?:-\d{1,2})?|\d(?:-\d)?-[a-z]+)(?:-\d{8}|-latest)?$/;

const Page = z.object({
  limit: z.coerce.number().int().min(1).max(1000).default(20),
  after_id: z.string().optional(),
  before_id: z.string().optional(),
});

/** True for ids that could be Anthropic's: a new model need not wait for the sandbox to learn of it. */
export function isKnownModel(id: string): boolean {
  return MODEL_ID.test(id);
}

/** True for models that take no `tool_choice` that forces a call, as Anthropic's SDKs know them. */
export function refusesForcedTools(id: string): boolean {
  return /^claude-(?:opus-5-5|sonnet-5-5|fable-5-[12])\b/.test(id);
}

/** True for models that don't continue an assistant message begun by the caller: those from 4.6 on. */
export function refusesPrefill(id: string): boolean {
  return /^claude-[a-z]+-(?:4-[6-9]|[5-9])(?:-|$)/.test(id);
}

/** The model object of the API, with no capability claimed: the sandbox model has none. */
export function describeModel(id: string): Record<string, unknown> {
  const model = MODELS.find((one) => one.id === id);
  return {
    type: 'model',
    id,
    display_name: `${model?.display_name ?? id} (sandbox)`,
    created_at: model?.created_at ?? '2026-01-01T00:00:00Z',
    max_input_tokens: 200_000,
    max_tokens: 64_000,
    capabilities: null,
  };
}

/** GET /v1/models: a page, newest first. Throws AnthropicError, 400, for a page that makes no sense. */
export function listModels(query: Record<string, unknown>): Record<string, unknown> {
  const parsed = Page.safeParse(query);
  if (!parsed.success) throw new AnthropicError('invalid_request_error', describeFault(parsed.error, query));
  const { limit, after_id, before_id } = parsed.data;
  const after = after_id === undefined ? 0 : MODELS.findIndex(({ id }) => id === after_id) + 1;
  const before = before_id === undefined ? MODELS.length : MODELS.findIndex(({ id }) => id === before_id);
  const rest = MODELS.slice(after, before === -1 ? undefined : before);
  const page = before_id === undefined ? rest.slice(0, limit) : rest.slice(-limit);
  return {
    data: page.map(({ id }) => describeModel(id)),
    has_more: page.length < rest.length,
    first_id: page[0]?.id ?? null,
    last_id: page.at(-1)?.id ?? null,
  };
}
