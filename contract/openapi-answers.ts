import type { Content, Parameter, Response } from './openapi.ts';

/** Answers that many operations share. */
export const TEXT = { type: 'string' } as const;
export const HTML: Content = { 'text/html': TEXT };

/** An expected failure: a problem document (RFC 9457), or a page for a browser. */
export function problem(description: string, headers?: Record<string, string>): Response {
  const content: Content = { 'application/problem+json': 'Problem', ...HTML };
  return { description, content, ...(headers === undefined ? {} : { headers }) };
}

/** An expected failure where no browser looks. */
export function problemOnly(description: string): Response {
  return { description, content: { 'application/problem+json': 'Problem' } };
}

export const RETRY_AFTER = { 'Retry-After': 'Seconds to wait' };

export const LIMITED: Response = problem('Too many attempts', RETRY_AFTER);

/** Of every form of ours. */
export const TOO_LARGE: Response = problem('More than 16 kB');

export const OTHERWISE: Response = problem('Any other failure');

export function page(description: string): Response {
  return { description, content: HTML };
}

export function redirect(description: string): Response {
  return { description, headers: { Location: 'Where to go' } };
}

export function json(description: string, schema: string, headers?: Record<string, string>): Response {
  return { description, content: { 'application/json': schema }, ...(headers === undefined ? {} : { headers }) };
}

/** The body of an OAuth endpoint or of a form of ours. */
export const formOrJson = (schema: string): Content => ({
  'application/x-www-form-urlencoded': schema,
  'application/json': schema,
});

/** A parameter of the query. */
export const query = (name: string, description: string): Parameter => ({ in: 'query', name, description });

/** RFC 6749 §5.2: OAuth endpoints answer their own kind of error, whatever went wrong. */
export const oauthErrors = (refusals: string) => ({
  400: json(`Refused: ${refusals}`, 'OAuthError'),
  429: json('Too many requests from this address', 'OAuthError', RETRY_AFTER),
  default: json('Any other failure', 'OAuthError'),
});
