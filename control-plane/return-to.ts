import { SpoqError } from '../contract/errors.ts';

/** The longest is a request of the command line, whose name of the computer may need nine characters for each of its own. */
const MAX_LENGTH = 2000;

/**
 * The path of ours to go to afterwards, `fallback` when none is given. Only printable ASCII after one slash, no backslash:
 * browsers read `//host` and `/\host` as other sites, and drop tabs and line ends before they look.
 * @throws SpoqError `invalid_request` for anything else
 */
export function parseReturnTo(value: unknown, baseUrl: string, fallback: string): string {
  if (value === undefined || value === '') return fallback;
  const isPath =
    typeof value === 'string' && value.length <= MAX_LENGTH && /^\/(?![/\\])[\x21-\x5b\x5d-\x7e]*$/.test(value);
  if (isPath && new URL(value, baseUrl).origin === new URL(baseUrl).origin) return value;
  throw new SpoqError('invalid_request', {
    detail: 'The address to return to is not one of ours.',
    faults: [{ field: 'return_to', message: 'is not a path of this site' }],
  });
}
