import type { Content, Response } from './openapi.ts';

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
