import type { IncomingHttpHeaders } from 'node:http';
import type { VendorName } from './vendor.ts';

/** Long enough to pass for a password where a document's minimum is checked. */
const PLACEHOLDER = '[redacted by the sandbox]';
const HEADERS = new Set(['authorization', 'x-api-key', 'proxy-authorization', 'cookie']);
const FIELDS = ['client_secret', 'access_token', 'refresh_token', 'password', 'code_verifier'].join('|');
const IN_JSON = new RegExp(`("(?:${FIELDS})"\\s*:\\s*)"(?:[^"\\\\]|\\\\.)*"`, 'g');
const IN_FORM = new RegExp(`((?:^|&)(?:${FIELDS})=)[^&]*`, 'g');

/** Headers without their credentials; the scheme stays, since clients differ in it. */
export function redactHeaders(headers: IncomingHttpHeaders): Record<string, string | string[] | undefined> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => {
      if (!HEADERS.has(name)) return [name, value];
      const scheme = /^(Bearer|Basic) /.exec(String(value))?.[0] ?? '';
      return [name, scheme + PLACEHOLDER];
    }),
  );
}

/** A body without the credentials of the call itself. What a model is asked stays whole: tests look for leaks in it. */
export function redactBody(vendor: VendorName, text: string): string {
  if (vendor === 'anthropic' || vendor === 'openai') return text;
  const withoutJson = text.replace(IN_JSON, `$1"${PLACEHOLDER}"`);
  return withoutJson.startsWith('{') || withoutJson.startsWith('[')
    ? withoutJson
    : withoutJson.replace(IN_FORM, `$1${PLACEHOLDER}`);
}
