/** How long the sandbox's vendors take, in milliseconds. All can be changed while it runs (POST /api/delays). */
export interface Delays {
  /** Contabo: from the order until the installation begins. Hostinger: state `creating`. */
  provisioning_ms: number;
  /** Contabo: status `installing`. Hostinger: a recreate. */
  installing_ms: number;
  /** Start, stop, restart. */
  action_ms: number;
  /** From `running` until the address shows. */
  address_ms: number;
  /** Between two chunks of a model's answer. */
  model_chunk_ms: number;
  /** Before the first chunk of a model's answer. */
  model_first_chunk_ms: number;
  /** Before the first retry of a webhook; doubles with every further one. */
  webhook_retry_ms: number;
}

/** Quick enough for a person to watch; a real order takes minutes. Tests set most of them to 0. */
export const DEFAULT_DELAYS: Readonly<Delays> = {
  provisioning_ms: 2000,
  installing_ms: 2000,
  action_ms: 500,
  address_ms: 0,
  model_chunk_ms: 40,
  model_first_chunk_ms: 300,
  webhook_retry_ms: 1000,
};

/** Sets the delays that `changes` names; answers the names that are unknown or not a number of 0 or more. */
export function changeDelays(delays: Delays, changes: Record<string, unknown>): string[] {
  const wrong = Object.entries(changes).filter(
    ([name, value]) => !(name in DEFAULT_DELAYS) || typeof value !== 'number' || !Number.isFinite(value) || value < 0,
  );
  if (wrong.length === 0) Object.assign(delays, changes);
  return wrong.map(([name]) => name);
}
