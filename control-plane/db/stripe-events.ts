import type { Db } from './connect.ts';

/** Notes an event as applied. False when it was before: then there is nothing left to do. */
export async function insertStripeEvent(
  db: Db,
  event: { id: string; type: string; created_at: Date; applied_at: Date },
): Promise<boolean> {
  const rows = await db('stripe_events').insert(event).onConflict('id').ignore().returning('id');
  return rows.length === 1;
}
