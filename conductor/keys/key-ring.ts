import { z } from 'zod';
import { SpoqError } from '../../contract/errors.ts';
import type { KeyList } from '../../contract/models.ts';
import type { ProviderConfig } from '../config.ts';
import type { CheckKey } from './check-key.ts';

/** The keys that models are asked with: the owner's own, before those that the box came with. */
export interface KeyRing {
  /** The key to ask this provider with, if there is one. */
  find(provider: string): string | undefined;
  /** How the key did that was just used. */
  heard(provider: string, key: string, works: boolean): void;
  list(): KeyList;
  /**
   * Puts a key of the owner's in the place of the old one, once the provider accepts it and it is kept. Throws `key_unknown` (no such
   * provider), `key_refused`, `key_not_checked` or `key_not_kept`; the old one is still used then.
   */
  set(provider: string, key: string, check: boolean): Promise<void>;
  /** Takes it away. Throws `key_unknown` or `key_not_kept`. */
  remove(provider: string): Promise<void>;
}

/** The owner's keys as they are kept, all at once: what is written replaces what was there, or nothing changes. */
export const StoredKeys = z.record(z.string(), z.object({ key: z.string(), set_at: z.iso.datetime() }));
export type StoredKeys = z.infer<typeof StoredKeys>;

/** Where the owner's keys outlive the process. Both may throw; what they throw holds no key. */
export interface KeyKeeper {
  load(): Promise<StoredKeys>;
  save(keys: StoredKeys): Promise<void>;
}

export interface KeyRingDeps {
  providers: ProviderConfig[];
  keeper: KeyKeeper;
  checkKey: CheckKey;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Told why keys could not be read; the box works on without them. */
  onFailure: (error: unknown) => void;
}

type State = KeyList['keys'][number]['state'];

/** Opens the ring with what the keeper has. */
export async function createKeyRing({ providers, keeper, checkKey, now, onFailure }: KeyRingDeps): Promise<KeyRing> {
  const states = new Map<string, { key: string; state: State }>();
  let own: StoredKeys = await keeper.load().catch((error: unknown) => {
    onFailure(error);
    return {};
  });
  /** One change at a time: each writes all of them. */
  let last: Promise<unknown> = Promise.resolve();

  const find = (provider: string): string | undefined =>
    (Object.hasOwn(own, provider) ? own[provider]?.key : undefined) ??
    providers.find(({ name }) => name === provider)?.key;
  const stateOf = (provider: string, key: string): State => {
    const heard = states.get(provider);
    return heard?.key === key ? heard.state : 'not_checked';
  };
  const keep = (change: (keys: StoredKeys) => StoredKeys): Promise<void> => {
    const saved = last.then(async () => {
      const wanted = change(own);
      await keeper.save(wanted).catch((error: unknown) => {
        onFailure(error);
        throw new SpoqError('key_not_kept');
      });
      own = wanted;
    });
    last = saved.catch(() => undefined);
    return saved;
  };

  return {
    find,
    heard: (provider, key, works) => void states.set(provider, { key, state: works ? 'works' : 'refused' }),
    list() {
      const keys = providers.flatMap(({ name }) => {
        const key = find(name);
        if (key === undefined) return [];
        const set_at = own[name]?.set_at ?? null;
        const source = set_at === null ? ('spoq' as const) : ('own' as const);
        return [{ provider: name, source, last_four: key.slice(-4), set_at, state: stateOf(name, key) }];
      });
      return { keys, providers: providers.map(({ name }) => name) };
    },
    async set(name, key, check) {
      const provider = providers.find((one) => one.name === name);
      if (provider === undefined) {
        throw new SpoqError('key_unknown', {
          detail: `There is no provider '${name}' here.`,
          next: `Keys are for ${providers.map((one) => one.name).join(', ')}; others are named in /etc/conductor/config.toml.`,
        });
      }
      if (check) await checkKey(provider, key);
      await keep((keys) => ({ ...keys, [name]: { key, set_at: new Date(now()).toISOString() } }));
      if (check) states.set(name, { key, state: 'works' });
    },
    async remove(name) {
      const unknown = (): SpoqError =>
        new SpoqError('key_unknown', { detail: `No key of yours is set for '${name}'.` });
      await keep((keys) => {
        if (!Object.hasOwn(keys, name)) throw unknown();
        const { [name]: _gone, ...rest } = keys;
        return rest;
      });
    },
  };
}
