import type Stripe from 'stripe';
import type { Deps } from '../deps.ts';
import { insertStripeEvent } from '../db/stripe-events.ts';
import type { Db } from '../db/connect.ts';
import { noteDispute, noteRefund } from './note-reversal.ts';
import { syncCheckout } from './sync-checkout.ts';
import { syncSubscription } from './sync-subscription.ts';

/**
 * Applies one event of Stripe, once. What it says is not believed: it is a hint to read the object it is about. Events that
 * mean nothing to us are noted and done with.
 * @returns `applied`, `repeated`, or `ignored`
 */
export async function applyStripeEvent(
  deps: ApplyDeps,
  event: Stripe.Event,
): Promise<'applied' | 'repeated' | 'ignored'> {
  const hint = readHint(event);
  return deps.db.transaction(async (tx) => {
    const row = {
      id: event.id,
      type: event.type,
      created_at: new Date(event.created * 1000),
      applied_at: deps.now(),
    };
    if (!(await insertStripeEvent(tx, row))) return 'repeated';
    if (hint === undefined) return 'ignored';
    await HANDLERS[hint.kind](deps, tx, hint.id);
    return 'applied';
  });
}

type ApplyDeps = Pick<Deps, 'db' | 'stripe' | 'boss' | 'now' | 'log' | 'config'>;

const HANDLERS = {
  checkout: syncCheckout,
  subscription: syncSubscription,
  dispute: noteDispute,
  refund: noteRefund,
} satisfies Record<string, (deps: ApplyDeps, tx: Db, id: string) => Promise<unknown>>;

interface Hint {
  kind: keyof typeof HANDLERS;
  id: string;
}

/** Which object an event is about. Invoices name their subscription under `parent` since the API of 2025-03-31. */
function readHint(event: Stripe.Event): Hint | undefined {
  const object = event.data.object as {
    id?: unknown;
    parent?: { subscription_details?: { subscription?: unknown } | null } | null;
  };
  const named = (kind: Hint['kind'], id: unknown): Hint | undefined =>
    typeof id === 'string' ? { kind, id } : undefined;
  if (event.type.startsWith('checkout.session.')) return named('checkout', object.id);
  if (event.type.startsWith('customer.subscription.')) return named('subscription', object.id);
  if (event.type.startsWith('charge.dispute.')) return named('dispute', object.id);
  if (event.type === 'charge.refunded') return named('refund', object.id);
  if (!event.type.startsWith('invoice.')) return undefined;
  const subscription = object.parent?.subscription_details?.subscription;
  return named(
    'subscription',
    typeof subscription === 'object' ? (subscription as { id?: unknown } | null)?.id : subscription,
  );
}
