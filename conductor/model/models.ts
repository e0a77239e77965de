import { SpoqError } from '../../contract/errors.ts';
import type { ModelList } from '../../contract/models.ts';
import { createPrices, PRICES } from '../budget/prices.ts';
import type { Price, Rates } from '../budget/prices.ts';
import type { AiConfig, ProviderConfig } from '../config.ts';
import { createModel } from './create-model.ts';
import type { Model } from './create-model.ts';

/** The models of this box, by name: `provider/model`, a model alone, or an alias of the configuration. */
export interface Models {
  /**
   * Whom to ask, first to last: the model of that name (the default one when left out), then those that are asked instead of it where it is
   * overloaded. Throws `model_unknown`, `model_price_unknown` or `model_not_configured`.
   */
  choose(name?: string): Choice;
  /** The default one's name; null where it can't be asked. */
  readonly standard: string | null;
  list(): ModelList;
}

export type Choice = readonly [Model, ...Model[]];

export interface ModelsDeps {
  config: AiConfig;
  /** The key that a provider is asked with now. */
  findKey: (provider: string) => string | undefined;
  fetch: typeof globalThis.fetch;
}

/** Used when the configuration names no model: the general ones of the pinned provider packages. */
const DEFAULT_MODELS: Record<string, string> = { anthropic: 'claude-sonnet-5-5', openai: 'gpt-5.6' };

interface Name {
  provider: ProviderConfig;
  model: string;
}

/** The models that the configuration, the prices and the keys allow. */
export function createModels({ config, findKey, fetch }: ModelsDeps): Models {
  const findPrice = createPrices(config.prices);
  const find = (name: string): Name => resolveName(config, name);
  const standardName = `${config.provider}/${config.model ?? DEFAULT_MODELS[config.provider] ?? ''}`;

  const open = (name: string): Model => {
    const { provider, model } = find(name);
    const price = findPrice(provider.name, model);
    if (price === undefined) throw describeUnpriced(provider, model);
    const apiKey = findKey(provider.name);
    if (apiKey === undefined && provider.kind !== 'compatible') throw describeKeyless(provider.name);
    const { maxOutputTokens, stallMs } = config;
    return createModel(provider, model, { price, maxOutputTokens, stallMs, apiKey }, fetch);
  };
  const attempt = (name: string): Model[] => {
    try {
      return [open(name)];
    } catch (error) {
      if (error instanceof SpoqError) return []; // GET /api/models tells that it can't be asked.
      throw error;
    }
  };

  return {
    choose(name = standardName) {
      const first = open(name);
      const others = config.fallback.flatMap(attempt);
      return [first, ...others.filter((one) => one.provider !== first.provider || one.id !== first.id)];
    },
    get standard() {
      return attempt(standardName)[0]?.id ?? null;
    },
    list() {
      const own = Object.keys(config.prices).filter((name) =>
        config.providers.some((one) => name.startsWith(`${one.name}/`)),
      );
      const listed = config.providers.flatMap(({ name, models }) => models.map((model) => `${name}/${model}`));
      const names = new Set([
        standardName,
        ...Object.values(config.aliases),
        ...config.fallback,
        ...listed,
        ...own,
        ...Object.keys(PRICES),
      ]);
      const models = new Map(
        [...names]
          .flatMap((name) => describeName(config, name))
          .map((one) => [`${one.provider.name}/${one.model}`, one]),
      );
      return {
        default: standardName,
        fallback: config.fallback,
        aliases: config.aliases,
        models: [...models].map(([name, { provider, model }]) => ({
          name,
          provider: provider.name,
          model,
          ready: provider.kind === 'compatible' || findKey(provider.name) !== undefined,
          price: describePrice(findPrice(provider.name, model)),
        })),
      };
    },
  };
}

/** What a name means. A model alone is one of the provider whose price list has it, else of the default provider. */
function resolveName(config: AiConfig, name: string): Name {
  const meant = Object.hasOwn(config.aliases, name) ? (config.aliases[name] ?? name) : name;
  const slash = meant.indexOf('/');
  const prefix = slash === -1 ? undefined : config.providers.find((one) => one.name === meant.slice(0, slash));
  if (prefix !== undefined && slash + 1 < meant.length) return { provider: prefix, model: meant.slice(slash + 1) };
  const priced = config.providers.find(
    (one) => Object.hasOwn(PRICES, `${one.name}/${meant}`) || one.models.includes(meant),
  );
  const provider = config.providers.find((one) => one.name === config.provider);
  const isOwn = Object.hasOwn(config.prices, meant) || meant === config.model;
  if (priced !== undefined && !isOwn) return { provider: priced, model: meant };
  if (provider !== undefined && isOwn) return { provider, model: meant };
  const providers = config.providers.map((one) => one.name).join(', ');
  throw new SpoqError('model_unknown', {
    detail: `'${name}' is no model that this box knows, and no alias. A model that is new is named with its provider (${providers}): anthropic/${name}.`,
  });
}

function describeName(config: AiConfig, name: string): Name[] {
  try {
    return [resolveName(config, name)];
  } catch (error) {
    if (error instanceof SpoqError) return [];
    throw error;
  }
}

function describeUnpriced(provider: ProviderConfig, model: string): SpoqError {
  return new SpoqError('model_price_unknown', {
    detail: `Nothing is known of what ${provider.name}/${model} costs, so no budget could hold it.`,
    next:
      `Add to /etc/conductor/config.toml on the box: [prices."${provider.name}/${model}"] with input and output, ` +
      'in US dollars for a million tokens; then `sudo systemctl restart conductor`. Or ask another one: `spoq models`.',
  });
}

function describeKeyless(provider: string): SpoqError {
  return new SpoqError('model_not_configured', {
    detail: `The box has no key of ${provider}.`,
    next: `Give it one: \`spoq keys set ${provider}\`.`,
  });
}

function describePrice(price: Price | undefined): ModelList['models'][number]['price'] {
  if (price === undefined) return null;
  const { rates, long, source, as_of } = price;
  return {
    ...toUsd(rates),
    long: long === undefined ? null : { over_tokens: long.over_tokens, ...toUsd(long.rates) },
    source,
    as_of,
  };
}

function toUsd({ input, cached_input, cache_write, output }: Rates) {
  const [input_usd, cached_input_usd, cache_write_usd, output_usd] = [input, cached_input, cache_write, output].map(
    (micros) => micros / 1_000_000,
  ) as [number, number, number, number];
  return { input_usd, cached_input_usd, cache_write_usd, output_usd };
}
