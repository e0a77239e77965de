/** Models that the sandbox lists. Ids as Anthropic publishes them; what answers is always the sandbox model. */
const MODELS = [
  { id: 'claude-opus-5-5', display_name: 'Claude Opus 5.5', created_at: '2026-09-15T00:00:00Z' },
  { id: 'claude-sonnet-5-5', display_name: 'Claude Sonnet 5.5', created_at: '2026-09-15T00:00:00Z' },
  { id: 'claude-haiku-5-5', display_name: 'Claude Haiku 5.5', created_at: '2026-09-15T00:00:00Z' },
] as const;

/** The form of every id that Anthropic ever gave: family and version in either order, perhaps dated or `-latest`. */
const MODEL_ID = /^claude-(?:[a-z]+-\d{1,2}(?:-\d{1,2})?|\d(?:-\d)?-[a-z]+)(?:-\d{8}|-latest)?$/;

/** True for ids that could be Anthropic's: a new model need not wait for the sandbox to learn of it. */
export function isKnownModel(id: string): boolean {
  return MODEL_ID.test(id);
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

/** GET /v1/models: one page, newest first. */
export function listModels(): Record<string, unknown> {
  return {
    data: MODELS.map(({ id }) => describeModel(id)),
    has_more: false,
    first_id: MODELS[0].id,
    last_id: MODELS[2].id,
  };
}
