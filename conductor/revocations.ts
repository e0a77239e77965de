import { jwtVerify } from 'jose';
import type { Logger } from 'pino';
import { RevocationClaims } from '../contract/auth.ts';
import type { AccessTokenClaims } from '../contract/auth.ts';
import { describeFailure, FETCH_TIMEOUT_MS, fetchText } from './fetch-text.ts';
import type { Reachability } from './reachability.ts';
import { CLOCK_TOLERANCE_SECONDS, createKeyFinder } from './token-verifier.ts';
import type { VerifierKeys } from './token-verifier.ts';

export interface RevocationsDeps {
  url: string;
  issuer: string;
  /** The host name of this box: the only audience. */
  hostname: string;
  keys: VerifierKeys;
  fetch: typeof fetch;
  log: Logger;
  reachability: Reachability;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** Milliseconds between two looks, and from a failed one to the next. */
  intervals?: { refreshMs: number; retryMs: number };
}

/** What the control plane says is refused from now on although signature and times are right. */
export interface Revocations {
  /** Begins to fetch; doesn't wait for the control plane. */
  start(): void;
  /** Whether the device of this token was signed out. Right after the start it waits for the first look, five seconds at most. */
  includes(token: AccessTokenClaims): Promise<boolean>;
  /** Fetches now. Never throws: without the control plane the last list stays, and tokens end by themselves within ten minutes. */
  refresh(): Promise<void>;
  /** Ends a fetch that runs, and lets no other begin. */
  stop(): Promise<void>;
}

const REFRESH_MS = 30_000;
/** A fifth more or less, so that boxes that began together don't ask together. */
const JITTER = 0.2;
/** A device that is signed out is refused after so long, while the control plane answers. */
export const REFUSED_AFTER_MS = REFRESH_MS * (1 + JITTER) + FETCH_TIMEOUT_MS;
/** After a failed fetch. Doubles up to REFRESH_MS. */
const RETRY_MS = 5_000;

/** Keeps the newest list of one box in memory. */
export function createRevocations(deps: RevocationsDeps): Revocations {
  const { refreshMs, retryMs } = deps.intervals ?? { refreshMs: REFRESH_MS, retryMs: RETRY_MS };
  const findKey = createKeyFinder(deps.keys);
  let revoked = new Set<string>();
  let notBefore = 0;
  let first: Promise<void> | undefined;
  let running: Promise<void> | undefined;
  let failures = 0;
  let timer: NodeJS.Timeout | undefined;
  const stopping = new AbortController();

  async function fetchList(): Promise<void> {
    try {
      const text = await fetchText(deps.fetch, deps.url, 'application/revocations+jwt', stopping.signal);
      const { payload } = await jwtVerify(text, findKey, {
        algorithms: [deps.keys.algorithm],
        issuer: deps.issuer,
        audience: deps.hostname,
        typ: 'revocations+jwt',
        requiredClaims: ['exp', 'iat'],
        clockTolerance: CLOCK_TOLERANCE_SECONDS,
        currentDate: new Date(deps.now()),
      });
      const claims = RevocationClaims.parse(payload);
      revoked = new Set(claims.revoked);
      notBefore = claims.not_before ?? 0;
      deps.reachability.worked('control_plane');
      if (failures > 0) deps.log.info('revocations are read again');
      failures = 0;
    } catch (error) {
      if (stopping.signal.aborted) return;
      failures += 1;
      const reason = describeFailure(error);
      deps.reachability.failed('control_plane', reason);
      // Once, not twice a minute for as long as it lasts.
      if (failures === 1) deps.log.warn({ url: deps.url, reason, kept: revoked.size }, 'revocations could not be read');
    }
  }

  function refresh(): Promise<void> {
    running ??= fetchList().finally(() => {
      running = undefined;
      schedule();
    });
    return running;
  }

  function schedule(): void {
    clearTimeout(timer);
    if (stopping.signal.aborted) return;
    const wait = failures === 0 ? refreshMs : Math.min(retryMs * 2 ** (failures - 1), refreshMs);
    timer = setTimeout(() => void refresh(), wait * (1 + JITTER * (2 * Math.random() - 1)));
    timer.unref();
  }

  return {
    start() {
      first = refresh();
    },

    async includes({ sid, iat }) {
      await first;
      return revoked.has(sid) || iat < notBefore;
    },

    refresh,

    async stop() {
      stopping.abort();
      clearTimeout(timer);
      await running;
    },
  };
}

/**
 * Where the list is: beside the keys, or on the control plane that issues the tokens.
 * @param source the configuration's own address of it, the address of the keys, and the issuer
 */
export function findRevocationsUrl(source: {
  revocationsUrl: string | undefined;
  jwksUrl: string | undefined;
  issuer: string;
  hostname: string;
}): string {
  const { revocationsUrl, jwksUrl, issuer, hostname } = source;
  if (revocationsUrl !== undefined) return revocationsUrl;
  const name = `revocations/${hostname}.jwt`;
  return jwksUrl === undefined ? `${issuer.replace(/\/+$/, '')}/.well-known/${name}` : new URL(name, jwksUrl).href;
}
