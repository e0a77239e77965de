import type { z } from 'zod';

/** Anthropic names the place and what is wrong: `max_tokens: Field required`. */
export function describeFault(error: z.ZodError, body: unknown, place: string[] = []): string {
  const issue = error.issues[0];
  if (issue === undefined) return 'The request is not valid.';
  const value = issue.path.reduce<unknown>(
    (at, key) => (typeof at === 'object' && at !== null ? (at as Record<PropertyKey, unknown>)[key] : undefined),
    body,
  );
  const path = [...place, ...issue.path.map(String)].join('.') || 'body';
  return `${path}: ${value === undefined ? 'Field required' : issue.message}`;
}
