import type Stripe from 'stripe';
import { askStripe } from './stripe-errors.ts';

/** More than anybody has: eighty years of months. */
const MOST = 1000;

/** An invoice as its payer is given it. Amounts are in the currency's smallest unit. */
export interface ExportedInvoice {
  id: string;
  number: string | null;
  status: string | null;
  currency: string;
  total: number;
  amount_paid: number;
  created_at: string;
  period_start: string;
  period_end: string;
  lines: { description: string | null; amount: number }[];
}

/**
 * Every invoice of these customers, the newest of each first.
 * @throws SpoqError `upstream_failed` or `upstream_refused`
 */
export async function listInvoices(deps: { stripe: Stripe }, customers: string[]): Promise<ExportedInvoice[]> {
  const lists: ExportedInvoice[][] = [];
  for (const customer of customers) {
    const invoices = await askStripe('read your invoices', () =>
      deps.stripe.invoices.list({ customer, limit: 100 }).autoPagingToArray({ limit: MOST }),
    );
    lists.push(invoices.map(presentInvoice));
  }
  return lists.flat();
}

function presentInvoice(invoice: Stripe.Invoice): ExportedInvoice {
  const toTime = (seconds: number): string => new Date(seconds * 1000).toISOString();
  return {
    id: String(invoice.id),
    number: invoice.number,
    status: invoice.status,
    currency: invoice.currency,
    total: invoice.total,
    amount_paid: invoice.amount_paid,
    created_at: toTime(invoice.created),
    period_start: toTime(invoice.period_start),
    period_end: toTime(invoice.period_end),
    lines: invoice.lines.data.map(({ description, amount }) => ({ description, amount })),
  };
}
