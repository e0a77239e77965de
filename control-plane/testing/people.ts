import { randomUUID } from 'node:crypto';
import { createRefreshToken } from '../commands/issue-tokens.ts';
import { hashToken, randomToken } from '../cipher.ts';
import { revokeFamily } from '../db/refresh-tokens.ts';
import type { TestControlPlane } from './control-plane.ts';

/**
 * Who may knock. There is no operator over HTTP: operators work on the database with `npm run operator`, and the one key that
 * opens anything is METRICS_TOKEN.
 */
export const ROLES = [
  'anonymous', // no cookie, an unknown token
  'stranger', // signed in, without a box or a subscription
  'owner', // signed in, paid, with a box that is ready
  'signed_out', // an owner's cookie and refresh token after sign-out and revocation
  'past_due', // an owner whose payment failed
  'cancelled', // an owner whose subscription has ended
  'metrics', // whoever has METRICS_TOKEN, and nothing else
] as const;
export type Role = (typeof ROLES)[number];

export const METRICS_TOKEN = 'token-of-prometheus';

export interface Person {
  role: Role;
  /** Cookie or bearer token, as headers. */
  headers: Record<string, string>;
  refreshToken: string;
  /** Of the box; empty without one. */
  hostname: string;
  userId: string;
}

/** Somebody new of that role, with all that belongs to them. */
export async function createPerson(plane: TestControlPlane, role: Role): Promise<Person> {
  const nobody = { role, headers: {}, refreshToken: 'spoq_unknown', hostname: '', userId: '' };
  if (role === 'anonymous') return nobody;
  if (role === 'metrics') return { ...nobody, headers: { authorization: `Bearer ${METRICS_TOKEN}` } };
  const { deps } = plane;
  const userId = randomUUID();
  const now = deps.now();
  await deps.db('users').insert({ id: userId, github_id: userId, username: `user-${userId.slice(0, 8)}` });
  const cookie = randomToken();
  const expires_at = new Date(now.getTime() + 3_600_000);
  if (role !== 'signed_out')
    await deps.db('sessions').insert({ id_hash: hashToken(cookie), user_id: userId, data: '{}', expires_at });
  const familyId = randomUUID();
  const refreshToken = await createRefreshToken(deps, userId, {
    familyId,
    label: 'laptop',
    ip: '127.0.0.1',
    signedInAt: now,
  });
  if (role === 'signed_out') await revokeFamily(deps.db, familyId, now);
  const person = { role, headers: { cookie: `spoq_session=${cookie}` }, refreshToken, hostname: '', userId };
  if (role === 'stranger') return person;
  const status = role === 'past_due' || role === 'cancelled' ? role : 'active';
  const isPaid = status === 'active';
  const day = (days: number): Date => new Date(now.getTime() + days * 86_400_000);
  const grace = isPaid ? {} : { grace_started_at: day(-1), suspends_at: day(2), grace_ends_at: day(6) };
  await deps.db('subscriptions').insert({ user_id: userId, plan: 'basic', status, expires_at: day(20), ...grace });
  return { ...person, hostname: (await plane.createBox(userId)).hostname };
}
