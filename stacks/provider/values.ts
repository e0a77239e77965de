import * as rpc from '@pulumi/pulumi/runtime/rpc.js';

export type Properties = Record<string, unknown>;

/** A value that the engine only learns while it runs: an input that depends on a resource not made yet. */
export const UNKNOWN: unique symbol = Symbol('unknown');

/** Takes the engine's wrapping off: secrets become their value, what isn't known yet becomes UNKNOWN. */
export function unwrap(value: unknown): unknown {
  if (value === rpc.unknownValue) return UNKNOWN;
  if (Array.isArray(value)) return value.map(unwrap);
  if (typeof value !== 'object' || value === null) return value;
  const bag = value as Properties;
  if (rpc.specialSigKey in bag) return 'value' in bag ? unwrap(bag['value']) : UNKNOWN;
  return Object.fromEntries(Object.entries(bag).map(([key, inner]) => [key, unwrap(inner)]));
}

/** Marks a value as a secret for the engine: encrypted in state, never shown. */
export function secret(value: unknown): Properties {
  return { [rpc.specialSigKey]: rpc.specialSecretSig, value };
}

/** The property bag behind the wrapping. */
export function unwrapBag(value: unknown): Properties {
  const bag = unwrap(value);
  return typeof bag === 'object' && bag !== null ? (bag as Properties) : {};
}
