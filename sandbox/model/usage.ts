import { createHash } from 'node:crypto';
import type { ModelInput, ModelMessage, SentImage } from './conversation.ts';

/** A part of a prompt, in the order in which vendors cache them: tools, system, then each message. */
export interface PromptPart {
  text: string;
  tokens: number;
}

/** Anthropic's published rule; what is not fetched counts as if it were 640 × 480. */
const PIXELS_PER_TOKEN = 750;
const UNREAD_PIXELS = 640 * 480;
/** Both vendors cache from here on, and keep for about five minutes after the last use. */
const LEAST_CACHED_TOKENS = 1024;
const KEPT_MS = 300_000;

/** Splits a prompt into its parts; an empty one counts nothing. */
export function listPromptParts(input: ModelInput): PromptPart[] {
  const tools = input.tools.length === 0 ? '' : JSON.stringify(input.tools);
  return [createPart(tools), createPart(input.system), ...input.messages.map(readMessage)];
}

/** Tokens of everything that the model is told: it grows with the conversation. */
export function countInput(input: ModelInput): number {
  return Math.max(1, sum(listPromptParts(input)));
}

function readMessage({ text, calls, results, images }: ModelMessage): PromptPart {
  const said = [
    text,
    ...calls.map(({ name, input }) => `${name}${JSON.stringify(input)}`),
    ...results.map((result) => result.text),
  ];
  const part = createPart(said.filter((one) => one !== '').join('\n'));
  const seen = images.reduce((tokens, image) => tokens + countImage(image), 0);
  return { text: part.text + JSON.stringify(images), tokens: part.tokens + seen };
}

function countImage(image: SentImage): number {
  const pixels = 'url' in image ? UNREAD_PIXELS : image.width * image.height;
  return Math.ceil(pixels / PIXELS_PER_TOKEN);
}

function createPart(text: string): PromptPart {
  return { text, tokens: Math.ceil(text.length / 4) };
}

function sum(parts: readonly PromptPart[]): number {
  return parts.reduce((tokens, part) => tokens + part.tokens, 0);
}

export interface CacheUse {
  /** Tokens of the longest beginning that was there. */
  read: number;
  /** Tokens that were put there beyond it. */
  written: number;
}

export interface PromptCache {
  /** Uses the cache for the first `count` parts of a prompt to `model`. */
  use(model: string, parts: readonly PromptPart[], count: number): CacheUse;
}

/** Remembers the beginnings of prompts, as vendors do to read them for less. Lives in memory: it changes no answer. */
export function createPromptCache(now: () => Date): PromptCache {
  const keptUntil = new Map<string, number>();
  return {
    use(model, parts, count) {
      const at = now().getTime();
      for (const [key, until] of keptUntil) if (until < at) keptUntil.delete(key);
      let key = model;
      const beginnings = parts.slice(0, count).map(({ text }, index) => {
        key = createHash('sha256').update(key).update(text).digest('hex');
        return { key, tokens: sum(parts.slice(0, index + 1)) };
      });
      const worthy = beginnings.filter(({ tokens }) => tokens >= LEAST_CACHED_TOKENS);
      const read = worthy.findLast((one) => keptUntil.has(one.key))?.tokens ?? 0;
      for (const one of worthy) keptUntil.set(one.key, at + KEPT_MS);
      return { read, written: (worthy.at(-1)?.tokens ?? 0) - read };
    },
  };
}
