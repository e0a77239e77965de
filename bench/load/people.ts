import { randomUUID } from 'node:crypto';
import { hashToken } from '../../control-plane/cipher.ts';
import { verifyAudit } from '../../control-plane/commands/audit.ts';
import { createRefreshToken } from '../../control-plane/commands/issue-tokens.ts';
import type { Db } from '../../control-plane/db/connect.ts';
import type { Deps } from '../../control-plane/deps.ts';
import { createJwtSecret } from '../../control-plane/jwt-secret.ts';
import { FIRST_PERIOD_END } from './quick-vendors.ts';
import { addressOf } from './sign-up.ts';

/** Somebody whose subscription counts. */
export interface Subscriber {
  user_id: string;
  login: string;
  subscription_id: string;
}

/** A signed-in program with a chain of refresh tokens. */
export interface Device {
  login: string;
  family_id: string;
  token: string;
  address: string;
  refreshes: number;
}

/** Those whose login begins so, who are subscribed by a payment that is bound to them. */
export async function listSubscribers(db: Db, prefix: string): Promise<Subscriber[]> {
  return db('users')
    .join('subscriptions', 'subscriptions.user_id', 'users.id')
    .join('checkouts', 'checkouts.stripe_subscription_id', 'subscriptions.stripe_subscription_id')
    .whereLike('users.username', `${prefix}%`)
    .andWhere({ 'subscriptions.status': 'active', 'checkouts.status': 'bound' })
    .andWhereRaw('checkouts.user_id = users.id')
    .select({ user_id: 'users.id', login: 'users.username', subscription_id: 'subscriptions.stripe_subscription_id' });
}

/** Gives everybody a box that is ready and a device that is signed in, as if made long ago. */
export async function createDevices(
  deps: Pick<Deps, 'boss' | 'cipher' | 'config' | 'db' | 'now'>,
  subscribers: readonly Subscriber[],
): Promise<Device[]> {
  const devices: Device[] = [];
  for (const { user_id: userId, login } of subscribers) {
    const [id, familyId, address] = [randomUUID(), randomUUID(), addressOf(devices.length)];
    await deps.db('user_vps').insert({
      id,
      user_id: userId,
      provider: 'contabo',
      hostname: `box-${id}.spoq.localhost`,
      region: 'EU',
      plan: 'basic',
      status: 'ready',
      ready_at: deps.now(),
      ssh_password_hash: '-',
      ssh_password_crypt: '-',
      jwt_secret: createJwtSecret(deps.cipher, id),
    });
    const device = { familyId, label: 'laptop', ip: address, signedInAt: deps.now() };
    const token = await createRefreshToken(deps, userId, device);
    devices.push({ login, family_id: familyId, token, address, refreshes: 0 });
  }
  return devices;
}

/** @throws Error unless everybody who signed up under that prefix is subscribed, once */
export async function checkSignUps(db: Db, prefix: string, signedUp: number): Promise<void> {
  const { length } = await listSubscribers(db, prefix);
  check(length === signedUp, `${signedUp} people signed up as ${prefix}…, and ${length} are subscribed`);
}

/**
 * Each event has to be on record once, and each has to have led to one look at its subscription: the vendor's period grows by a second
 * with each look, the first of which was at sign-up.
 */
export async function checkEvents(
  db: Db,
  subscribers: readonly Subscriber[],
  sent: Map<string, number>,
): Promise<void> {
  const events = [...sent.values()].reduce((sum, count) => sum + count, 0);
  const [row] = await db('stripe_events').whereLike('id', 'evt\\_load\\_%').count({ count: '*' });
  check(Number(row?.['count']) === events, `${events} events were sent, and ${row?.['count']} are on record`);
  const rows = await db<{ stripe_subscription_id: string; expires_at: Date }>('subscriptions').whereIn(
    'stripe_subscription_id',
    subscribers.map((one) => one.subscription_id),
  );
  for (const { stripe_subscription_id: id, expires_at: end } of rows) {
    const looks = end.getTime() / 1000 - FIRST_PERIOD_END;
    const wanted = 1 + (sent.get(id) ?? 0);
    check(looks === wanted, `${id} was read ${looks} times, and ${wanted} is right`);
  }
}

/** Each device has to hold the one token of its chain that is in force, and the chain to be as long as it was refreshed often. */
export async function checkDevices(db: Db, devices: readonly Device[]): Promise<void> {
  const rows = await db('refresh_tokens')
    .select('family_id')
    .groupBy('family_id')
    .count({ tokens: '*' })
    .select<{ family_id: string; tokens: string; leaves: string[] }[]>(
      db.raw('array_agg(token_hash) FILTER (WHERE used_at IS NULL AND revoked_at IS NULL) AS leaves'),
    );
  const families = new Map(rows.map((row) => [row.family_id, row]));
  for (const { family_id: id, token, refreshes } of devices) {
    const { tokens, leaves } = families.get(id) ?? { tokens: 0, leaves: [] };
    const isRight = Number(tokens) === refreshes + 1 && leaves?.length === 1 && leaves[0] === hashToken(token);
    check(isRight, `After ${refreshes} refreshes a device has ${tokens} tokens, ${leaves?.length} of them in force`);
  }
}

/** Every sign-in and every subscription was appended to one chain, however many came at once. @throws Error where it is broken */
export async function checkAudit(db: Db): Promise<void> {
  const verdict = await verifyAudit(db);
  check(verdict.ok, `The audit log has a row that ${verdict.ok ? '' : verdict.reason}`);
}

function check(isTrue: boolean, fault: string): void {
  if (!isTrue) throw new Error(`${fault}.`);
}
