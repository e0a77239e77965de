/** Models that the sandbox lists; what answers is always the sandbox model. */
const MODELS = [
  'gpt-5.6',
  'gpt-5.6-sol',
  'gpt-5.6-terra',
  'gpt-5.5',
  'gpt-5.5-mini',
  'gpt-5.4-mini',
  'gpt-5',
  'gpt-5-mini',
  'gpt-4.1',
  'gpt-4o',
];

/** 2026-01-01, in seconds. */
const CREATED = 1_767_225_600;

/** The form of the ids of OpenAI's text models: a new one need not wait for the sandbox to learn of it. */
const MODEL_ID = /^(?:gpt-\d[\w.-]*|o\d[\w.-]*|chatgpt-[\w.-]+)$/;

export function isKnownModel(id: string): boolean {
  return MODEL_ID.test(id);
}

export function describeModel(id: string): Record<string, unknown> {
  return { id, object: 'model', created: CREATED, owned_by: 'spoq-sandbox' };
}

export function listModels(): Record<string, unknown> {
  return { object: 'list', data: MODELS.map(describeModel) };
}
