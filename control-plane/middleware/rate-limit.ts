import { isIPv6 } from 'node:net';
import type { Middleware } from 'koa';
import { RateLimiterPostgres, RateLimiterRes } from 'rate-limiter-flexible';
import { SpoqError } from '../../contract/errors.ts';
import type { Db } from '../db/connect.ts';

/**
 * How often in how many seconds, by kind; counted in Postgres, so that replicas count together. By address they only keep a
 * flood out: offices and mobile networks share addresses. The limits on wrong codes are what makes three words enough: ten
 * guesses an hour at 38.8 bits per person (RFC 8628 §5.1).
 */
export const RATE_LIMITS = {
  write: { points: 300, seconds: 600 },
  'write-address': { points: 3000, seconds: 600 },
  webhook: { points: 60, seconds: 600 },
  device: { points: 60, seconds: 600 },
  'device-token': { points: 3000, seconds: 600 },
  refresh: { points: 600, seconds: 600 },
  'sign-in': { points: 120, seconds: 600 },
  authorize: { points: 120, seconds: 600 },
  checkout: { points: 60, seconds: 600 },
  password: { points: 60, seconds: 600 },
  provision: { points: 120, seconds: 600 },
  'boot-report': { points: 600, seconds: 600 },
  operation: { points: 30, seconds: 600 },
  billing: { points: 60, seconds: 600 },
  claim: { points: 60, seconds: 600 },
  export: { points: 10, seconds: 3600 },
  'wrong-code-user': { points: 10, seconds: 3600 },
  'wrong-code-address': { points: 30, seconds: 3600 },
} as const;
export type RateLimitKind = keyof typeof RATE_LIMITS;

export interface RateLimiter {
  /** Counts one. @throws SpoqError `too_many_requests` with the seconds to wait */
  consume(key: string): Promise<void>;
  /** Takes one back: what was counted turned out to be right. */
  refund(key: string): Promise<void>;
}

/** @param options.remembers whoever is over the limit, until it runs out, so that a flood costs no query. Excludes refunds. */
export function createRateLimiter(
  deps: { db: Db },
  kind: RateLimitKind,
  options: { remembers?: boolean } = {},
): RateLimiter {
  const { points, seconds } = RATE_LIMITS[kind];
  const limiter = new RateLimiterPostgres({
    storeClient: deps.db,
    storeType: 'knex',
    tableName: 'rate_limits',
    tableCreated: true,
    // Rows are removed by deleteExpiredRateLimits, so that no timer of a limiter is left running.
    clearExpiredByTimeout: false,
    keyPrefix: kind,
    points,
    ...(options.remembers === true && { inMemoryBlockOnConsumed: points }),
    duration: seconds,
  });
  return {
    async consume(key) {
      try {
        await limiter.consume(key);
      } catch (rejected) {
        if (!(rejected instanceof RateLimiterRes)) throw rejected;
        const wait = Math.max(1, Math.ceil(rejected.msBeforeNext / 1000));
        throw new SpoqError('too_many_requests', {
          detail: `There were too many attempts. Nothing was changed; try again in ${formatWait(wait)}.`,
          retryAfterSeconds: wait,
        });
      }
    },
    async refund(key) {
      await limiter.reward(key);
    },
  };
}

/** Counts every request of the caller's address. */
export function limitByAddress(limiter: RateLimiter): Middleware {
  return async (ctx, next) => {
    await limiter.consume(toAddressKey(ctx.ip));
    await next();
  };
}

/** IPv4 as it is; of IPv6 the first 64 bits, since whoever has one address of a /64 has them all. */
export function toAddressKey(ip: string): string {
  const plain = ip.replace(/^::ffff:(?=\d+\.)/i, '');
  if (!isIPv6(plain)) return plain;
  const [head = '', tail] = plain.toLowerCase().split('%', 1)[0]?.split('::') ?? [];
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : 8 - left.length - right.length;
  const groups = [...left, ...Array.from({ length: Math.max(zeros, 0) }, () => '0'), ...right];
  return `${groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':')}::/64`;
}

/** Forgets counts that have run out. */
export async function deleteExpiredRateLimits(db: Db, now: Date): Promise<number> {
  return db('rate_limits').where('expire', '<=', now.getTime()).delete();
}

function formatWait(seconds: number): string {
  return seconds < 120 ? `${seconds} seconds` : `${Math.ceil(seconds / 60)} minutes`;
}
