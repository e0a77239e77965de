/** Names the conductor that `npm test` has compiled from these sources, its argv as JSON. */
export const CONDUCTOR_VARIABLE = 'SPOQ_TEST_CONDUCTOR';

/** Its argv: it starts in a sixth of the time. Undefined where a test file runs alone; then there are the sources. */
export function findCompiledConductor(): string[] | undefined {
  const given = process.env[CONDUCTOR_VARIABLE];
  return given === undefined ? undefined : (JSON.parse(given) as string[]);
}
