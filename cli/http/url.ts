import { SpoqError } from '../../contract/errors.ts';
import { isLoopbackName } from '../../contract/loopback.ts';

/**
 * Parses the base URL of a service. Tokens and files go there, so it must be https, except on this machine itself.
 * `source` says where the value came from. Throws `invalid_request`.
 */
export function parseServiceUrl(value: string, source: string): URL {
  const url = URL.parse(value);
  if (url === null || !['http:', 'https:'].includes(url.protocol) || url.username !== '' || url.password !== '') {
    throw new SpoqError('invalid_request', { detail: `${source} is not the URL of a service: ${value}` });
  }
  if (url.protocol === 'http:' && !isLoopbackName(url.hostname)) {
    throw new SpoqError('invalid_request', {
      detail: `${source} is ${value}: spoq sends tokens and files over https only`,
      next: `Use https://${url.host} instead.`,
    });
  }
  return url;
}

/** The address of `path` under a base URL that may or may not end in a slash. */
export function joinUrl(base: URL, path: string): URL {
  return new URL(`${base.href.replace(/\/$/, '')}${path}`);
}
