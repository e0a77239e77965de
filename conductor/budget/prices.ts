/** Micro-dollars for a million tokens of each kind. */
export interface Rates {
  input: number;
  /** Read from the provider's cache. */
  cached_input: number;
  /** Written to it: the dearest kind of writing that is asked for. */
  cache_write: number;
  output: number;
}

export interface Price {
  rates: Rates;
  /** What every token of a call costs instead, when its input has more than `over_tokens` of them. */
  long?: { over_tokens: number; rates: Rates };
  source: string;
  /** When the price was looked up. */
  as_of: string;
}

const MICROS = 1_000_000;

function rates(input: number, cached: number, write: number, output: number): Rates {
  const [input_, cached_input, cache_write, output_] = [input, cached, write, output].map((usd) =>
    Math.round(usd * MICROS),
  ) as [number, number, number, number];
  return { input: input_, cached_input, cache_write, output: output_ };
}

const ANTHROPIC = { source: 'https://platform.claude.com/docs/en/about-claude/pricing', as_of: '2026-11-27' };
const OPENAI = { source: 'https://developers.openai.com/api/docs/pricing', as_of: '2026-11-27' };
const LONG_OPENAI = 272_000;

/**
 * What calls cost, by provider and model: dollars for a million tokens of input, cached input, writing to the cache (Anthropic: 5 minutes;
 * OpenAI bills it from GPT-5.6 on) and output. A model that isn't here isn't asked, until its owner adds it in config.toml.
 */
export const PRICES: Record<string, Price> = {
  'anthropic/claude-opus-5-5': { rates: rates(4, 0.2, 5, 20), ...ANTHROPIC },
  'anthropic/claude-opus-5': { rates: rates(5, 0.5, 6.25, 25), ...ANTHROPIC },
  'anthropic/claude-opus-4-8': { rates: rates(5, 0.5, 6.25, 25), ...ANTHROPIC },
  'anthropic/claude-sonnet-5-5': { rates: rates(2, 0.1, 2.5, 10), ...ANTHROPIC },
  'anthropic/claude-sonnet-5': { rates: rates(2, 0.2, 2.5, 10), ...ANTHROPIC },
  'anthropic/claude-sonnet-4-6': { rates: rates(3, 0.3, 3.75, 15), ...ANTHROPIC },
  'anthropic/claude-haiku-5-5': {
    rates: rates(0.1, 0.01, 0.125, 0.5),
    long: { over_tokens: 100_000, rates: rates(0.5, 0.05, 0.625, 2.5) },
    ...ANTHROPIC,
  },
  'anthropic/claude-haiku-4-5': { rates: rates(1, 0.1, 1.25, 5), ...ANTHROPIC },
  // The name without a size is Sol.
  'openai/gpt-5.6': withLong(rates(5, 0.5, 6.25, 30)),
  'openai/gpt-5.6-sol': withLong(rates(5, 0.5, 6.25, 30)),
  'openai/gpt-5.6-terra': withLong(rates(2, 0.2, 2.5, 12)),
  'openai/gpt-5.6-luna': withLong(rates(0.2, 0.02, 0.25, 1.2)),
  'openai/gpt-5.5': withLong(rates(5, 0.5, 5, 30)),
  'openai/gpt-5.4': withLong(rates(2.5, 0.25, 2.5, 15)),
  'openai/gpt-5.4-mini': { rates: rates(0.75, 0.075, 0.75, 4.5), ...OPENAI },
  'openai/gpt-5.4-nano': { rates: rates(0.2, 0.02, 0.2, 1.25), ...OPENAI },
  'openai/gpt-5': { rates: rates(1.25, 0.125, 1.25, 10), ...OPENAI },
  'openai/gpt-5-mini': { rates: rates(0.25, 0.025, 0.25, 2), ...OPENAI },
  'openai/gpt-4.1': { rates: rates(2, 0.5, 2, 8), ...OPENAI },
  'openai/gpt-4o': { rates: rates(2.5, 1.25, 2.5, 10), ...OPENAI },
};

/** OpenAI's long calls: twice the input, one and a half times the output. */
function withLong(base: Rates): Price {
  const { input, cached_input, cache_write, output } = base;
  const long = {
    input: 2 * input,
    cached_input: 2 * cached_input,
    cache_write: 2 * cache_write,
    output: 1.5 * output,
  };
  return { rates: base, long: { over_tokens: LONG_OPENAI, rates: long }, ...OPENAI };
}

/** As the owner writes it in config.toml: dollars for a million tokens. What is left out costs as much as input. */
export interface OwnPrice {
  input: number;
  cached_input?: number | undefined;
  cache_write?: number | undefined;
  output: number;
}

/** Prices by `provider/model`; the owner's, by that name or by the model's alone, before ours. */
export function createPrices(own: Record<string, OwnPrice>): (provider: string, model: string) => Price | undefined {
  const owned = Object.fromEntries(
    Object.entries(own).map(([name, { input, cached_input = input, cache_write = input, output }]) => [
      name,
      { rates: rates(input, cached_input, cache_write, output), source: 'config.toml', as_of: '' },
    ]),
  );
  return (provider, model) => {
    const name = `${provider}/${model}`;
    for (const [table, key] of [
      [owned, name],
      [owned, model],
      [PRICES, name],
    ] as const) {
      if (Object.hasOwn(table, key)) return table[key];
    }
    return undefined;
  };
}
