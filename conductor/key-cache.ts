import { importJWK } from 'jose';
import type { CryptoKey } from 'jose';
import type { Logger } from 'pino';
import { Jwks } from '../contract/auth.ts';
import { describeFailure, fetchText } from './fetch-text.ts';
import type { KeyStore } from './key-file.ts';
import type { Reachability } from './reachability.ts';

export interface KeyCacheDeps {
  jwksUrl: string;
  store: KeyStore;
  fetch: typeof fetch;
  log: Logger;
  reachability: Reachability;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Milliseconds between two refreshes, and from a failed one to the next. */
  intervals?: { refreshMs: number; retryMs: number };
}

/** The control plane's public keys, by `kid`. */
export interface KeyCache {
  /** Takes what the disk has and begins to fetch; doesn't wait for the control plane. */
  start(): Promise<void>;
  /** The published key with this `kid`; one refresh is tried for a `kid` never seen. Undefined when there is none. */
  find(kid: string): Promise<CryptoKey | undefined>;
  /** Fetches now. Never throws: a control plane that is down leaves the keys as they are. */
  refresh(): Promise<void>;
  /** Ends a fetch that runs, and lets no other begin. */
  stop(): Promise<void>;
}

/** Keys rotate within days, and a dropped key must be out within minutes. */
const REFRESH_MS = 10 * 60_000;
/** An unknown `kid` costs its sender nothing: at most two fetches a minute come of them. */
const COOLDOWN_MS = 30_000;
/** After a failed fetch, so that a control plane that comes back is noticed. Doubles up to REFRESH_MS. */
const RETRY_MS = 5_000;

/** Keeps the public keys of one control plane in memory and in `store`. A refresh drops what is no longer published. */
export function createKeyCache(deps: KeyCacheDeps): KeyCache {
  const { refreshMs, retryMs } = deps.intervals ?? { refreshMs: REFRESH_MS, retryMs: RETRY_MS };
  let keys = new Map<string, CryptoKey>();
  let running: Promise<void> | undefined;
  let failures = 0;
  let nextAllowedAt = 0;
  let timer: NodeJS.Timeout | undefined;
  const stopping = new AbortController();

  async function loadSaved(): Promise<void> {
    try {
      const saved = await deps.store.load();
      // Keys of another control plane are worth nothing here.
      if (saved?.url === deps.jwksUrl) keys = await importKeys(saved.jwks, deps.log);
    } catch (error) {
      deps.log.warn({ reason: describeFailure(error) }, 'saved keys could not be read');
    }
  }

  async function fetchKeys(): Promise<void> {
    try {
      const text = await fetchText(deps.fetch, deps.jwksUrl, 'application/json', stopping.signal);
      const jwks = Jwks.parse(JSON.parse(text));
      deps.reachability.worked('control_plane');
      const fetched = await importKeys(jwks, deps.log);
      // Kept before they are used: a box that let somebody in once can do so after a kill, without the control plane.
      await saveKeys(jwks);
      keys = fetched;
      failures = 0;
      nextAllowedAt = deps.now() + COOLDOWN_MS;
    } catch (error) {
      if (stopping.signal.aborted) return;
      failures += 1;
      nextAllowedAt = deps.now() + retryMs;
      const reason = describeFailure(error);
      deps.reachability.failed('control_plane', reason);
      deps.log.warn({ url: deps.jwksUrl, reason, kept: keys.size }, 'keys could not be fetched');
    }
  }

  async function saveKeys(jwks: Jwks): Promise<void> {
    try {
      await deps.store.save({ url: deps.jwksUrl, fetched_at: new Date(deps.now()).toISOString(), jwks });
    } catch (error) {
      deps.log.warn({ reason: describeFailure(error) }, 'keys could not be saved, so they last until the next restart');
    }
  }

  function refresh(): Promise<void> {
    running ??= fetchKeys().finally(() => {
      running = undefined;
      schedule();
    });
    return running;
  }

  function schedule(): void {
    clearTimeout(timer);
    if (stopping.signal.aborted) return;
    const wait = failures === 0 ? refreshMs : Math.min(retryMs * 2 ** (failures - 1), refreshMs);
    timer = setTimeout(() => void refresh(), wait);
    timer.unref();
  }

  return {
    async start() {
      await loadSaved();
      void refresh();
    },

    async find(kid) {
      const known = keys.get(kid);
      if (known !== undefined) return known;
      if (running === undefined && deps.now() < nextAllowedAt) return undefined;
      await refresh();
      return keys.get(kid);
    },

    refresh,

    async stop() {
      stopping.abort();
      clearTimeout(timer);
      await running;
    },
  };
}

async function importKeys(jwks: Jwks, log: Logger): Promise<Map<string, CryptoKey>> {
  const keys = new Map<string, CryptoKey>();
  for (const jwk of jwks.keys) {
    if (jwk.kty !== 'RSA' || jwk.alg !== 'RS256' || jwk.use !== 'sig') continue;
    try {
      // Only the public members: whatever else is published is not for verifying.
      const key = await importJWK({ kty: 'RSA', n: readMember(jwk['n']), e: readMember(jwk['e']) }, 'RS256');
      if (!(key instanceof Uint8Array)) keys.set(jwk.kid, key);
    } catch (error) {
      log.warn({ kid: jwk.kid, reason: describeFailure(error) }, 'a published key is not usable');
    }
  }
  return keys;
}

function readMember(value: unknown): string {
  if (typeof value === 'string') return value;
  throw new Error('a public member is missing');
}
