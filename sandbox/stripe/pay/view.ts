import type { Account } from '../account.ts';
import { formatAmount } from '../format-amount.ts';
import { listLineItems } from '../objects/line-items.ts';
import type { CheckoutSession, Price } from '../state.ts';

export interface PayForm {
  email: string;
  card_number: string;
  card_expiry: string;
  card_cvc: string;
  name: string;
}

/** What the pay page shows; `attempt` brings back what was typed, and why it was refused. */
export function describeForm(
  account: Account,
  session: CheckoutSession,
  attempt?: { form: PayForm; problem: string },
): object {
  const lines = listLineItems(account.state, session).data as {
    description: string;
    amount_total: number;
    price: Price;
  }[];
  const customer = session.customer === null ? undefined : account.state.customers[session.customer];
  const product = lines.map((line) => line.description).join(', ');
  return {
    title: `Pay for ${product}`,
    product,
    total: formatAmount(session.amount_total, session.currency),
    interval: describeInterval(lines[0]?.price),
    lines: lines.map((line) => ({ name: line.description, amount: formatAmount(line.amount_total, session.currency) })),
    problem: attempt?.problem,
    form: attempt?.form ?? {
      email: customer?.email ?? session.customer_email ?? 'customer@example.com',
      card_number: '4242 4242 4242 4242',
      card_expiry: `12 / ${String(account.clock.now().getUTCFullYear() + 4).slice(-2)}`,
      card_cvc: '123',
      name: '',
    },
    email_is_fixed:
      (customer?.email ?? session.customer_email) !== null && (customer?.email ?? session.customer_email) !== undefined,
    cancel_url: session.cancel_url,
  };
}

/** What is shown when there is nothing to pay any more. */
export function describeEnd(session: CheckoutSession | undefined): object {
  if (session === undefined) {
    return { title: 'Nothing to pay here', text: 'This address belongs to no checkout. Go back and start again.' };
  }
  if (session.status === 'complete') {
    const link = session.success_url.replaceAll('{CHECKOUT_SESSION_ID}', session.id);
    return {
      title: "You're all done",
      text: 'This checkout has been paid. You were charged once.',
      link,
      label: 'Continue',
    };
  }
  return {
    title: 'This checkout has expired',
    text: 'Nothing was charged. Go back and start again.',
    link: session.cancel_url,
    label: 'Go back',
  };
}

/** How often a price is paid, in words. */
export function describeInterval(price: Price | undefined): string {
  const recurring = price?.recurring;
  if (!recurring) return '';
  return recurring.interval_count === 1
    ? `per ${recurring.interval}`
    : `every ${recurring.interval_count} ${recurring.interval}s`;
}
