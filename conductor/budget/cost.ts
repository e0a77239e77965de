import type { Price, Rates } from './prices.ts';

/** Tokens of one call, as the provider counted them. All input, of which some was read from the cache or written to it. */
export interface Usage {
  input_tokens: number;
  cached_tokens: number;
  cache_write_tokens: number;
  output_tokens: number;
}

const MILLION = 1_000_000;

/** What a call has cost, in micro-dollars, rounded up. */
export function costOf({ rates, long }: Price, usage: Usage): number {
  const used = long !== undefined && usage.input_tokens > long.over_tokens ? long.rates : rates;
  const plain = Math.max(0, usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens);
  return Math.ceil(
    (plain * used.input +
      usage.cached_tokens * used.cached_input +
      usage.cache_write_tokens * used.cache_write +
      usage.output_tokens * used.output) /
      MILLION,
  );
}

/** The rates of a call of at most so much input, none below what any of its tokens can cost. */
export function dearestRates({ rates, long }: Price, inputTokensAtMost: number): { input: number; output: number } {
  const possible: Rates[] = long !== undefined && inputTokensAtMost > long.over_tokens ? [rates, long.rates] : [rates];
  return {
    input: Math.max(...possible.flatMap(({ input, cached_input, cache_write }) => [input, cached_input, cache_write])),
    output: Math.max(...possible.map(({ output }) => output)),
  };
}

/** What a call costs at most, in micro-dollars. */
export function costAtMost(price: Price, inputTokens: number, outputTokens: number): number {
  const { input, output } = dearestRates(price, inputTokens);
  return Math.ceil((inputTokens * input + outputTokens * output) / MILLION);
}

/** How many tokens of output the rest of `micros` pays after the input; negative when not even that. */
export function outputAffordable(price: Price, inputTokens: number, micros: number): number {
  const { input, output } = dearestRates(price, inputTokens);
  const left = micros * MILLION - inputTokens * input;
  if (left < 0) return -1;
  return output === 0 ? Number.MAX_SAFE_INTEGER : Math.floor(left / output);
}
