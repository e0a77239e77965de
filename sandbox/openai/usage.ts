import type { ModelInput } from '../model/conversation.ts';
import { countInput, listPromptParts } from '../model/usage.ts';
import type { PromptCache } from '../model/usage.ts';

/** Input tokens as OpenAI counts them: what is read from the cache is part of `input_tokens`. */
export interface InputUsage {
  input_tokens: number;
  input_tokens_details: { cached_tokens: number; cache_write_tokens: number };
}

/** OpenAI caches by itself, in steps of so many tokens. */
const STEP = 128;

/** Counts the input of a request and uses the cache. */
export function countUsage(model: string, input: ModelInput, cache: PromptCache): InputUsage {
  const parts = listPromptParts(input);
  const { read } = cache.use(model, parts, parts.length);
  return {
    input_tokens: countInput(input),
    input_tokens_details: { cached_tokens: Math.floor(read / STEP) * STEP, cache_write_tokens: 0 },
  };
}
