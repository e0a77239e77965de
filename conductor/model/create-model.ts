import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import type { LanguageModel, streamText } from 'ai';
import type { ModelConfig } from '../config.ts';

type ProviderOptions = Parameters<typeof streamText>[0]['providerOptions'];

/** A model that can be asked, and what is pinned for every call of it. */
export interface Model {
  id: string;
  model: LanguageModel;
  options: ProviderOptions;
  maxOutputTokens: number;
  stallMs: number;
  /** Blotted out wherever the provider repeats it in a message. */
  apiKey: string;
}

/** Used when the configuration names no model: the general ones of the pinned provider packages. */
const DEFAULT_MODELS = { anthropic: 'claude-sonnet-5-5', openai: 'gpt-5.6' } as const;

/** The configured model; undefined without an API key. `fetch` is what it is reached with. */
export function createModel(config: ModelConfig, fetch: typeof globalThis.fetch): Model | undefined {
  if (config.apiKey === undefined) return undefined;
  const id = config.model ?? DEFAULT_MODELS[config.provider];
  const common = { apiKey: config.apiKey, baseURL: readBaseUrl(config.baseUrl), fetch };
  return {
    id,
    model: config.provider === 'anthropic' ? createAnthropic(common)(id) : createOpenAI(common).responses(id),
    // Pings count as signs of life. OpenAI would keep questions and answers for 30 days: not ours to allow.
    options: config.provider === 'anthropic' ? { anthropic: { includePings: true } } : { openai: { store: false } },
    maxOutputTokens: config.maxOutputTokens,
    stallMs: config.stallMs,
    apiKey: config.apiKey,
  };
}

/** Vendors' own tools disagree whether a base URL ends in /v1, so a bare origin gets it. */
function readBaseUrl(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const url = new URL(text);
  return url.pathname === '/' ? `${url.origin}/v1` : text;
}
