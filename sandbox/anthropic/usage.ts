import { listPromptParts } from '../model/usage.ts';
import type { PromptCache } from '../model/usage.ts';
import type { CreateMessage, MessageRequest } from './request.ts';

/** Input tokens as Anthropic counts them: what is read from the cache or written to it is not in `input_tokens`. */
export interface InputUsage {
  input_tokens: number;
  cache_creation_input_tokens: number;
  cache_read_input_tokens: number;
}

/** Counts the input of a request, and uses the cache where the request marks a part with `cache_control`. */
export function countUsage({ request, input }: MessageRequest, cache: PromptCache): InputUsage {
  const parts = listPromptParts(input);
  const { read, written } = cache.use(request.model, parts, countCached(request));
  const all = parts.reduce((tokens, part) => tokens + part.tokens, 0);
  return {
    input_tokens: Math.max(1, all - read - written),
    cache_creation_input_tokens: written,
    cache_read_input_tokens: read,
  };
}

/** How many parts lie before the last mark: tools, system, then messages (those of the role system are in `system`). */
function countCached(request: CreateMessage): number {
  const messages = request.messages.filter(({ role }) => role !== 'system');
  if (isMarked(request)) return 2 + messages.length;
  const last = messages.findLastIndex(({ content }) => isAnyMarked(content));
  if (last !== -1) return 2 + last + 1;
  if (isAnyMarked(request.system)) return 2;
  return isAnyMarked(request.tools) ? 1 : 0;
}

function isAnyMarked(parts: unknown): boolean {
  return Array.isArray(parts) && parts.some(isMarked);
}

function isMarked(part: unknown): boolean {
  return typeof part === 'object' && part !== null && 'cache_control' in part && part.cache_control !== null;
}
