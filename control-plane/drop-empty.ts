/** The parameters of an OAuth request: one without a value counts as left out (RFC 6749 §3.1, §3.2). */
export function dropEmpty(parameters: unknown): unknown {
  if (typeof parameters !== 'object' || parameters === null || Array.isArray(parameters)) return parameters;
  return Object.fromEntries(Object.entries(parameters).filter(([, value]) => value !== ''));
}
