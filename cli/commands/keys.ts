import { SpoqError } from '../../contract/errors.ts';
import { KeyList, ModelKey } from '../../contract/models.ts';
import { findBox } from '../box/connection.ts';
import type { BoxRequest } from '../box/connection.ts';
import { fetchJson } from '../box/fetch-json.ts';
import { readStdin } from '../context/read-stdin.ts';
import type { CliDeps } from '../deps.ts';
import { formatSeconds } from '../terminal/format.ts';
import { sanitizeLine } from '../terminal/sanitize.ts';
import { createOnWait } from './show-turn.ts';

export type KeyAction = 'set' | 'list' | 'remove';

export interface KeysOptions {
  json: boolean;
  /** False with --no-check: it is taken as it is. */
  check: boolean;
}

const STATES = { works: 'works', refused: 'refused by its provider', not_checked: 'not checked' } as const;

/** `spoq keys set|list|remove`: with whose keys the box asks models. A key is read from the terminal or from stdin, and shown nowhere. */
export async function runKeys(
  deps: CliDeps,
  action: KeyAction,
  provider: string | undefined,
  options: KeysOptions,
): Promise<void> {
  if (action === 'list') {
    if (provider !== undefined) throw wrongUsage('All keys are listed.', 'Try: spoq keys list');
    const list = await ask(deps, { method: 'GET', path: '/api/keys' }, options);
    return deps.stdout.write(options.json ? `${JSON.stringify(list)}\n` : describeList(list, deps.now()));
  }
  if (provider === undefined)
    throw wrongUsage('It is not said of which provider.', `Try: spoq keys ${action} anthropic`);
  const path = `/api/keys/${encodeURIComponent(provider)}`;
  if (action === 'remove') {
    const list = await ask(deps, { method: 'DELETE', path }, options);
    const now = list.keys.some((one) => one.provider === provider)
      ? 'the one that the box came with is used'
      : 'it has none now';
    return tell(deps, options, list, `Removed your key of ${provider}: ${now}.`);
  }
  const key = await readKey(deps, provider);
  const body = JSON.stringify({ key, check: options.check });
  const list = await ask(deps, { method: 'PUT', path, body }, options);
  const last = list.keys.find((one) => one.provider === provider)?.last_four ?? '';
  const checked = options.check ? `${provider} accepts it` : 'it was not checked';
  return tell(deps, options, list, `The box asks ${provider} with your key from now on (…${last}): ${checked}.`);
}

/** From a prompt that shows nothing, or all of stdin. */
async function readKey(deps: CliDeps, provider: string): Promise<string> {
  const canAsk = deps.stdin.isTTY && deps.stderr.isTTY;
  const typed = canAsk
    ? await deps.askSecret(`Key of ${provider} (it is not shown):`)
    : await readStdin(deps, { required: true, patienceMs: 0 });
  if (typed === undefined || typed.trim() === '') {
    throw wrongUsage('There is no key.', `Pipe it in, e.g.: spoq keys set ${provider} < key.txt`);
  }
  const key = ModelKey.safeParse(typed);
  if (key.success) return key.data;
  const [issue] = key.error.issues;
  throw wrongUsage(
    `This can't be a key: ${issue?.message ?? 'it has another form'}.`,
    'Copy it whole, and nothing else.',
  );
}

async function ask(deps: CliDeps, request: Omit<BoxRequest, 'accept'>, options: KeysOptions): Promise<KeyList> {
  return fetchJson(deps, await findBox(deps), request, KeyList, createOnWait(deps, options));
}

function tell(deps: CliDeps, options: KeysOptions, list: KeyList, words: string): Promise<void> {
  return deps.stdout.write(options.json ? `${JSON.stringify(list)}\n` : `${sanitizeLine(words)}\n`);
}

function describeList({ keys, providers }: KeyList, now: number): string {
  const rows = providers.map((provider) => {
    const key = keys.find((one) => one.provider === provider);
    return `${sanitizeLine(provider).padEnd(11)} ${key === undefined ? 'none' : sanitizeLine(describeKey(key, now))}\n`;
  });
  return rows.join('');
}

function describeKey({ source, last_four, set_at, state }: KeyList['keys'][number], now: number): string {
  const age = set_at === null ? '' : `, set ${formatSeconds((now - Date.parse(set_at)) / 1000)} ago`;
  return `…${last_four}, ${source === 'own' ? 'yours' : 'came with the box'}${age}, ${STATES[state]}`;
}

function wrongUsage(detail: string, next: string): SpoqError {
  return new SpoqError('invalid_request', { detail, next });
}
