import { ModelList } from '../../contract/models.ts';
import { findBox } from '../box/connection.ts';
import { fetchJson } from '../box/fetch-json.ts';
import type { CliDeps } from '../deps.ts';
import { formatUsd } from '../terminal/money.ts';
import { sanitizeLine } from '../terminal/sanitize.ts';
import { canStyle, createStyle } from '../terminal/style.ts';
import type { Style } from '../terminal/style.ts';
import { createOnWait } from './show-turn.ts';

export interface ModelsOptions {
  json: boolean;
  noColor: boolean;
  /** Also those that can't be asked now. */
  all: boolean;
}

type Entry = ModelList['models'][number];

/** `spoq models`: what can be asked, and what it costs. */
export async function runModels(deps: CliDeps, options: ModelsOptions): Promise<void> {
  const box = await findBox(deps);
  const request = { method: 'GET', path: '/api/models' } as const;
  const list = await fetchJson(deps, box, request, ModelList, createOnWait(deps, options));
  if (options.json) return deps.stdout.write(`${JSON.stringify(list)}\n`);
  const style = createStyle(canStyle(deps.stdout, deps.env, options.noColor));
  const shown = list.models.filter((one) => options.all || whyNot(one) === undefined);
  await deps.stdout.write(shown.map((one) => describe(one, list, style)).join(''));
  const hidden = list.models.length - shown.length;
  if (shown.length === 0)
    await deps.stderr.write('No model can be asked. Give the box a key: spoq keys set anthropic\n');
  if (hidden > 0) await deps.stderr.write(`${hidden} more can't be asked now: spoq models --all\n`);
}

function whyNot({ provider, ready, price }: Entry): string | undefined {
  if (!ready) return `no key: spoq keys set ${provider}`;
  return price === null ? 'its price is not known' : undefined;
}

/** Its name, and below it what it costs and what else it is called: two lines that fit a phone. */
function describe(one: Entry, list: ModelList, style: Style): string {
  const aliases = Object.entries(list.aliases).filter(([, meant]) => meant === one.name || meant === one.model);
  const fallback = list.fallback.findIndex((name) => name === one.name || name === one.model);
  const notes = [
    whyNot(one) ?? describePrice(one),
    ...(one.name === list.default ? ['asked where nothing is said'] : []),
    ...aliases.map(([alias]) => `also ${alias}`),
    ...(fallback === -1 ? [] : [`asked instead, no. ${fallback + 1}`]),
  ];
  return `${style.bold(sanitizeLine(one.name))}\n  ${style.dim(sanitizeLine(notes.join('; ')))}\n`;
}

function describePrice({ price }: Entry): string {
  if (price === null) return '';
  if (price.input_usd === 0 && price.output_usd === 0) return 'costs nothing';
  return `${formatUsd(price.input_usd)} in, ${formatUsd(price.output_usd)} out a million tokens`;
}
