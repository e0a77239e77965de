import * as rpc from '@pulumi/pulumi/runtime/rpc.js';

export type Properties = Record<string, unknown>;

/** The values behind the engine's wrapping of secrets; what isn't known yet becomes undefined. */
function unwrap(value: unknown): unknown {
  if (value === rpc.unknownValue) return undefined;
  if (Array.isArray(value)) return value.map(unwrap);
  if (typeof value !== 'object' || value === null) return value;
  const bag = value as Properties;
  if (rpc.specialSigKey in bag) return unwrap(bag['value']);
  return Object.fromEntries(Object.entries(bag).map(([key, inner]) => [key, unwrap(inner)]));
}

export function unwrapBag(value: unknown): Properties {
  const bag = unwrap(value);
  return typeof bag === 'object' && bag !== null ? (bag as Properties) : {};
}

/** The names of the properties that differ, sorted. */
export function listChanges(olds: unknown, news: unknown, names: readonly string[]): string[] {
  const [before, after] = [unwrapBag(olds), unwrapBag(news)];
  return names
    .filter((name) => JSON.stringify(before[name] ?? null) !== JSON.stringify(after[name] ?? null))
    .toSorted();
}

/** The last part of a URN's type: urn:pulumi:<stack>::<project>::<parents>$<type>::<name>. */
export function typeOf(urn: string): string {
  return urn.split('::')[2]?.split('$').at(-1) ?? '';
}
