import { SpoqError } from '../../contract/errors.ts';
import type { ProviderConfig } from '../config.ts';
import { readBaseUrl } from '../model/create-model.ts';

/** Asks a provider whether it takes a key, without asking a model. Throws `key_refused` or `key_not_checked`. */
export type CheckKey = (provider: ProviderConfig, key: string) => Promise<void>;

const BASE_URLS = { anthropic: 'https://api.anthropic.com/v1', openai: 'https://api.openai.com/v1' } as const;
const CHECK_MS = 10_000;
/** As the provider package sends it. */
const ANTHROPIC_VERSION = '2023-06-01';

/** The list of models costs nothing, and needs a key that works. */
export function createKeyCheck(fetchUrl: typeof fetch, timeoutMs = CHECK_MS): CheckKey {
  return async ({ name, kind, baseUrl }, key) => {
    const base = readBaseUrl(baseUrl) ?? (kind === 'compatible' ? '' : BASE_URLS[kind]);
    const headers: Record<string, string> =
      kind === 'anthropic'
        ? { 'x-api-key': key, 'anthropic-version': ANTHROPIC_VERSION }
        : { authorization: `Bearer ${key}` };
    const status = await ask(fetchUrl, `${base.replace(/\/$/, '')}/models`, headers, timeoutMs, name);
    if (status === 401 || status === 403) throw new SpoqError('key_refused', { detail: `${name} answered ${status}.` });
    if (status < 200 || status > 299) throw new SpoqError('key_not_checked', { detail: `${name} answered ${status}.` });
  };
}

async function ask(
  fetchUrl: typeof fetch,
  url: string,
  headers: Record<string, string>,
  timeoutMs: number,
  name: string,
): Promise<number> {
  try {
    const response = await fetchUrl(url, { headers, signal: AbortSignal.timeout(timeoutMs) });
    await response.body?.cancel();
    return response.status;
  } catch (error) {
    const late = error instanceof Error && error.name === 'TimeoutError';
    // The cause is not kept: what a client library says of a failed request may hold its headers.
    throw new SpoqError('key_not_checked', {
      detail: late ? `${name} did not answer within ${timeoutMs / 1000} s.` : `${name} could not be reached.`,
    });
  }
}
