import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import type { LanguageModel, streamText } from 'ai';
import type { Price } from '../budget/prices.ts';
import type { ProviderConfig } from '../config.ts';
import { joinDeltas } from './join-deltas.ts';

type ProviderOptions = Parameters<typeof streamText>[0]['providerOptions'];

/** A model that can be asked, and what is pinned for every call of it. */
export interface Model {
  /** As its provider calls it. */
  id: string;
  provider: string;
  price: Price;
  model: LanguageModel;
  options: ProviderOptions;
  maxOutputTokens: number;
  stallMs: number;
  /** Blotted out wherever the provider repeats it in a message. */
  apiKey: string;
}

/** What is sent where no key is needed: the client libraries insist on one. */
const NO_KEY = 'none';

/** The client of one model. `fetch` is what it is reached with. */
export function createModel(
  { name, kind, baseUrl }: ProviderConfig,
  id: string,
  settings: Pick<Model, 'price' | 'maxOutputTokens' | 'stallMs'> & { apiKey: string | undefined },
  fetch: typeof globalThis.fetch,
): Model {
  const { apiKey = NO_KEY, ...rest } = settings;
  const joined = (async (...request) => joinDeltas(await fetch(...request))) as typeof fetch;
  const common = { apiKey, baseURL: readBaseUrl(baseUrl), fetch: joined };
  return { id, provider: name, apiKey, ...rest, ...createClient(kind, common, id) };
}

function createClient(
  kind: ProviderConfig['kind'],
  common: Parameters<typeof createOpenAI>[0] & Parameters<typeof createAnthropic>[0],
  id: string,
): Pick<Model, 'model' | 'options'> {
  switch (kind) {
    case 'anthropic':
      // Pings count as signs of life.
      return { model: createAnthropic(common)(id), options: { anthropic: { includePings: true } } };
    case 'openai':
      // OpenAI would keep questions and answers for 30 days: not ours to allow.
      return { model: createOpenAI(common).responses(id), options: { openai: { store: false } } };
    case 'compatible':
      return { model: createOpenAI(common).chat(id), options: undefined };
  }
}

/** Vendors' own tools disagree whether a base URL ends in /v1, so a bare origin gets it. */
export function readBaseUrl(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const url = new URL(text);
  return url.pathname === '/' ? `${url.origin}/v1` : text;
}
