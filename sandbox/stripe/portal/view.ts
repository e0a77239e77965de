import type { Account } from '../account.ts';
import { formatAmount } from '../format-amount.ts';
import { describeInterval } from '../pay/view.ts';
import type { PortalSession, StripeState, Subscription } from '../state.ts';

export interface CardForm {
  card_number: string;
  card_expiry: string;
  card_cvc: string;
}

/** What the portal shows; `attempt` brings back what was typed, and why it was refused. */
export function describePortal(
  { state, clock }: Account,
  session: PortalSession,
  attempt?: { form?: CardForm; problem: string },
): object {
  const { customer, flow } = session;
  const subscriptions = Object.values(state.subscriptions).filter((one) => one.customer === customer);
  const invoices = Object.values(state.invoices).filter((one) => one.customer === customer);
  return {
    title: 'Your billing',
    email: state.customers[customer]?.email,
    path: `/p/session/${session.id}`,
    return_url: session.return_url,
    shows_all: flow === null,
    shows_card: flow === null || flow.type === 'payment_method_update',
    shows_subscriptions: flow === null || flow.type === 'subscription_cancel',
    problem: attempt?.problem,
    form: attempt?.form ?? {
      card_number: '4242 4242 4242 4242',
      card_expiry: `12 / ${String(clock.now().getUTCFullYear() + 4).slice(-2)}`,
      card_cvc: '123',
    },
    subscriptions: subscriptions.map((one) => describeSubscription(state, one)),
    invoices: invoices.toReversed().map((one) => ({
      id: one.id,
      number: one['number'],
      date: formatDay(one.created),
      total: formatAmount(one.total, one.currency),
      status: one.status,
      due: one.status === 'open' ? formatAmount(one.amount_remaining, one.currency) : undefined,
    })),
  };
}

function describeSubscription(state: StripeState, subscription: Subscription): object {
  const { id, items, status, currency } = subscription;
  const [first] = items.data;
  const card = state.payment_methods[subscription.default_payment_method ?? '']?.card;
  return {
    id,
    status: status.replaceAll('_', ' '),
    is_over: status === 'canceled',
    is_ending: subscription.cancel_at_period_end,
    product: items.data.map(({ price }) => state.products[price.product]?.name ?? 'Subscription').join(', '),
    amount: formatAmount(
      items.data.reduce((sum, { price, quantity }) => sum + price.unit_amount * quantity, 0),
      currency,
    ),
    interval: describeInterval(first?.price),
    period_end: formatDay(first?.current_period_end ?? subscription.created),
    card: card && `${card.brand} •••• ${card.last4}, expires ${card.exp_month}/${card.exp_year}`,
  };
}

function formatDay(seconds: number): string {
  return new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeZone: 'UTC' }).format(seconds * 1000);
}
