import type { Deps } from '../deps.ts';
import { claimOpenCheckouts, listPaidCheckouts } from '../db/checkouts.ts';
import type { Db } from '../db/connect.ts';
import { bindPaidCheckout } from './sync-subscription.ts';

/**
 * Gives what was paid in this browser to the person who has just signed in on it, and what is still being paid, too.
 * Safe to repeat. A person who pays twice keeps both payments on record; the better one counts.
 * @param tx the transaction to be part of; one of its own when left out
 * @returns how many payments were bound
 */
export async function bindCheckouts(
  deps: Pick<Deps, 'db' | 'stripe' | 'boss' | 'now' | 'log'>,
  who: { user: { id: string }; sessionHash: string },
  tx?: Db,
): Promise<number> {
  if (tx === undefined) return deps.db.transaction(async (own) => bindCheckouts(deps, who, own));
  await claimOpenCheckouts(tx, who.sessionHash, who.user.id);
  const paid = await listPaidCheckouts(tx, who.sessionHash);
  for (const checkout of paid) await bindPaidCheckout(deps, tx, checkout, who.user.id);
  return paid.length;
}
