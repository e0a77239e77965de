import { randomBytes } from 'node:crypto';

/** The id of a new resource: its name and something random, as the official plugin makes it. */
export function makeId(urn: string): string {
  return `${urn.split('::').at(-1)}${randomBytes(6).toString('hex')}`;
}
