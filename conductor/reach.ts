import { isLocalhostName } from '../contract/loopback.ts';

/**
 * fetch, but `http://*.localhost` is dialled on 127.0.0.1 with its Host header kept (libc often can't resolve such
 * names), and a redirect is an error: neither public keys nor model keys travel to an address that nobody configured.
 */
export const fetchDirect: typeof fetch = (input, init) => {
  const request: RequestInit = { ...init, redirect: 'error' };
  const address = input instanceof Request ? input.url : input;
  const url = new URL(address);
  if (url.protocol !== 'http:' || !isLocalhostName(url.hostname)) return fetch(input, request);
  const headers = new Headers(init?.headers);
  headers.set('host', url.host);
  url.hostname = '127.0.0.1';
  return fetch(url, { ...request, headers });
};
