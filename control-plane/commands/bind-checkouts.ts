import type { Deps } from '../deps.ts';
import { claimOpenCheckouts, listPaidCheckouts, listPaidCheckoutsOfEmail } from '../db/checkouts.ts';
import type { Db } from '../db/connect.ts';
import type { UserRow } from '../db/users.ts';
import { bindPaidCheckout } from './sync-subscription.ts';

/**
 * Gives what was paid in this browser to the person who has just signed in on it, and what is still being paid, too; and what was
 * paid elsewhere with the address that GitHub has verified. Safe to repeat. Of two payments one counts: see syncSubscription.
 * @param tx the transaction to be part of; one of its own when left out
 * @returns how many payments were bound
 */
export async function bindCheckouts(
  deps: Pick<Deps, 'db' | 'stripe' | 'boss' | 'now' | 'log' | 'config'>,
  who: { user: Pick<UserRow, 'id' | 'email'>; sessionHash: string },
  tx?: Db,
): Promise<number> {
  if (tx === undefined) return deps.db.transaction(async (own) => bindCheckouts(deps, who, own));
  await claimOpenCheckouts(tx, who.sessionHash, who.user.id);
  const { email } = who.user;
  const here = await listPaidCheckouts(tx, who.sessionHash);
  const elsewhere = email === null ? [] : await listPaidCheckoutsOfEmail(tx, email);
  const paid = [...here, ...elsewhere.filter((one) => !here.some(({ id }) => id === one.id))];
  for (const checkout of paid) await bindPaidCheckout(deps, tx, checkout, who.user.id);
  return paid.length;
}
