import { hashToken, randomToken } from '../cipher.ts';
import { addDays } from '../billing/life.ts';
import {
  findCheckoutByClaim,
  listUnboundCheckouts,
  lockCheckout,
  updateCheckout,
  type CheckoutRow,
} from '../db/checkouts.ts';
import type { Deps } from '../deps.ts';
import { claimPayment } from '../mail/messages.ts';
import { recordAudit } from './audit.ts';
import { queueMail } from './queue-mail.ts';
import { decideSettlement } from './settle.ts';
import { bindPaidCheckout, type SyncDeps } from './sync-subscription.ts';

type ClaimDeps = SyncDeps & Pick<Deps, 'db'>;

/** Most people sign in right after they have paid. Who hasn't by then has closed the browser. */
const MAIL_AFTER_MINUTES = 10;

/**
 * Sees to payments that nobody has signed in for: the payer gets a link by mail, and after UNCLAIMED_DAYS the money goes back. Those
 * whose payer is known, and that could not be bound when they came, are bound. Safe to repeat.
 */
export async function watchUnclaimed(deps: ClaimDeps): Promise<void> {
  for (const { id } of await listUnboundCheckouts(deps.db)) {
    await watchOne(deps, id).catch((err: unknown) => deps.log.error({ err, checkout_id: id }, 'a payment waits'));
  }
}

async function watchOne(deps: ClaimDeps, id: string): Promise<void> {
  await deps.db.transaction(async (tx) => {
    const checkout = await lockCheckout(tx, id);
    if (checkout?.status !== 'paid' || checkout.paid_at === null) return;
    if (checkout.user_id !== null) return bindPaidCheckout(deps, tx, checkout, checkout.user_id);
    const now = deps.now();
    const returnedOn = addDays(checkout.paid_at, deps.config.UNCLAIMED_DAYS);
    if (returnedOn <= now) return giveUp({ ...deps, db: tx }, checkout);
    const isDue = now.getTime() - checkout.paid_at.getTime() >= MAIL_AFTER_MINUTES * 60_000;
    if (!isDue || checkout.claim_mailed_at !== null || checkout.email === null) return;
    const token = randomToken();
    await updateCheckout(tx, id, { claim_hash: hashToken(token), claim_mailed_at: now });
    await queueMail(deps, tx, {
      to: { email: checkout.email },
      kind: 'claim_payment',
      key: `claim_payment:${id}`,
      message: claimPayment({ baseUrl: deps.config.BASE_URL, token, plan: checkout.plan, returnedOn }),
    });
  });
}

/** `deps.db` is the transaction that holds the checkout. */
async function giveUp(deps: ClaimDeps, checkout: CheckoutRow): Promise<void> {
  const { id, stripe_subscription_id: subscriptionId } = checkout;
  await updateCheckout(deps.db, id, { status: 'returned', claim_hash: null });
  if (subscriptionId !== null)
    await decideSettlement(deps, deps.db, { subscriptionId, userId: null, checkoutId: id, reason: 'unclaimed' });
  await recordAudit(deps.db, {
    at: deps.now(),
    actor: 'system',
    action: 'payment.unclaimed',
    detail: { checkout_id: id, subscription_id: subscriptionId },
  });
}

/** The payment that a mailed link is good for; undefined when it was used, or the money has gone back. */
export async function findClaim(deps: Pick<Deps, 'db'>, token: string): Promise<CheckoutRow | undefined> {
  const checkout = await findCheckoutByClaim(deps.db, hashToken(token));
  return checkout?.status === 'paid' ? checkout : undefined;
}

/** Gives the payment behind a mailed link to this browser; whoever signs in on it gets it. The link is used up when it is bound. */
export async function claimForBrowser(
  deps: Pick<Deps, 'db'>,
  token: string,
  sessionHash: string,
): Promise<CheckoutRow | undefined> {
  return deps.db.transaction(async (tx) => {
    const found = await findCheckoutByClaim(tx, hashToken(token));
    const checkout = found === undefined ? undefined : await lockCheckout(tx, found.id);
    if (checkout?.status !== 'paid') return undefined;
    await updateCheckout(tx, checkout.id, { session_hash: sessionHash });
    return checkout;
  });
}
