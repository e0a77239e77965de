import { randomUUID } from 'node:crypto';
import { SpoqError } from '../../contract/errors.ts';
import type { Deps } from '../deps.ts';
import type { Db } from '../db/connect.ts';
import { lockInTransaction } from '../db/locks.ts';
import { findSshPassword, type SshPasswordRow } from '../db/ssh-passwords.ts';
import { findSubscription, type SubscriptionRow } from '../db/subscriptions.ts';
import { findBox, findBoxOfUser, insertBox, listTakenHostnames, resetBox, type UserVpsRow } from '../db/user-vps.ts';
import type { UserRow } from '../db/users.ts';
import { appendVpsEvent } from '../db/vps-events.ts';
import { listLabelCandidates, toBoxLabel } from '../hostname.ts';
import { QUEUES, sendBoxJob } from '../jobs/queues.ts';
import { createJwtSecret } from '../jwt-secret.ts';
import { findRegion } from '../regions/regions.ts';
import { recordAudit } from './audit.ts';
import { requireStaying } from './leaving.ts';

/** A name that somebody else had isn't given away for so long: links, cookies and known_hosts still mean the old box. */
export const HOSTNAME_REST_DAYS = 30;

type ProvisionDeps = Pick<Deps, 'config' | 'db' | 'boss' | 'cipher' | 'now'>;

/**
 * Asks for a person's box: row, first event and job in one transaction. Asking again, from however many tabs, answers the box
 * that is there. A box that failed is only tried again when `retry` says so; the row, its id and its name stay.
 * @param request.region one of the provider's regions
 * @throws SpoqError `no_subscription`, `no_password`, `account_leaving`, or `invalid_request` for a region that there isn't
 */
export async function provisionBox(
  deps: ProvisionDeps,
  user: UserRow,
  request: { region: string; retry: boolean; ip: string },
): Promise<UserVpsRow> {
  return deps.db.transaction(async (tx) => {
    await lockInTransaction(tx, `box-of:${user.id}`);
    await requireStaying(tx, user.id);
    const present = await findBoxOfUser(tx, user.id);
    if (present !== undefined && !(present.status === 'failed' && request.retry)) return present;
    const { subscription, password } = await requireMeans(tx, user.id);
    const provider = present?.provider ?? deps.config.VPS_PROVIDER;
    if (findRegion(provider, request.region) === undefined)
      throw new SpoqError('invalid_request', {
        detail: 'There is no such region.',
        faults: [{ field: 'region', message: 'is not one of the regions on offer' }],
      });
    const box = present ?? (await insertNewBox(deps, tx, user, request.region, subscription, password));
    if (present !== undefined) await resetBox(tx, present.id, { region: request.region, ...toHashes(password) });
    await appendVpsEvent(tx, box.id, {
      step: 'queued',
      state: 'started',
      message: 'Your box is next.',
      at: deps.now(),
    });
    await sendBoxJob(deps.boss, tx, QUEUES.provision, box);
    await recordAudit(tx, {
      at: deps.now(),
      actor: `user:${user.id}`,
      user_id: user.id,
      action: present === undefined ? 'box.requested' : 'box.retried',
      detail: { box_id: box.id, hostname: box.hostname, region: request.region },
      ip: request.ip,
    });
    return (await findBox(tx, box.id)) ?? box;
  });
}

async function requireMeans(
  tx: Db,
  userId: string,
): Promise<{ subscription: SubscriptionRow; password: SshPasswordRow }> {
  const subscription = await findSubscription(tx, userId);
  if (subscription?.status !== 'active') throw new SpoqError('no_subscription');
  const password = await findSshPassword(tx, userId);
  if (password === undefined) throw new SpoqError('no_password');
  return { subscription, password };
}

async function insertNewBox(
  deps: ProvisionDeps,
  tx: Db,
  user: UserRow,
  region: string,
  subscription: SubscriptionRow,
  password: SshPasswordRow,
): Promise<UserVpsRow> {
  const id = randomUUID();
  return insertBox(tx, {
    id,
    user_id: user.id,
    provider: deps.config.VPS_PROVIDER,
    hostname: await chooseHostname(deps, tx, user),
    region,
    plan: subscription.plan,
    status: 'pending',
    ...toHashes(password),
    jwt_secret: createJwtSecret(deps.cipher, id),
    created_at: deps.now(),
  });
}

/** What a box keeps of its owner's password. */
export function toHashes(password: SshPasswordRow): Pick<UserVpsRow, 'ssh_password_hash' | 'ssh_password_crypt'> {
  return { ssh_password_hash: password.argon2_hash, ssh_password_crypt: password.crypt_sealed };
}

async function chooseHostname(deps: ProvisionDeps, tx: Db, user: UserRow): Promise<string> {
  await lockInTransaction(tx, 'hostnames');
  const since = new Date(deps.now().getTime() - HOSTNAME_REST_DAYS * 86_400_000);
  const taken = await listTakenHostnames(tx, user.id, since);
  // Ours may stand in the same zone, and whoever shares our name gets our visitors.
  taken.add(new URL(deps.config.BASE_URL).hostname);
  for (const label of listLabelCandidates(toBoxLabel(user.username))) {
    const hostname = `${label}.${deps.config.BOX_DOMAIN}`;
    if (!taken.has(hostname)) return hostname;
  }
  throw new SpoqError('conflict', { detail: 'No name could be found for your box.', next: 'Try again.' });
}
