import { Router } from '@koa/router';
import type { ParameterizedContext } from 'koa';
import type { Pages } from '../../pages.ts';
import type { RequestState } from '../../parse-body.ts';
import type { Account } from '../account.ts';
import { changeCustomerCard } from '../commands/add-card.ts';
import { changeSubscription } from '../commands/change-subscription.ts';
import { payInvoice } from '../commands/pay-invoice.ts';
import { StripeError } from '../errors.ts';
import { checkCard, readCard } from '../pay/check-card.ts';
import type { PortalSession } from '../state.ts';
import { describePortal, type CardForm } from './view.ts';

type Context = ParameterizedContext<RequestState>;

/** The page behind a portal session's `url`: GET shows it; each POST does one thing and shows it again. */
export function createPortalRoutes(account: Account, pages: Pages): Router<RequestState> {
  const router = new Router<RequestState>();
  const find = (ctx: { params: Record<string, string> }): PortalSession | undefined =>
    account.state.portal_sessions[String(ctx.params['id'])];
  const show = (ctx: Context, session: PortalSession, attempt?: { form?: CardForm; problem: string }): void => {
    if (attempt !== undefined) ctx.status = 402;
    ctx.body = pages.render('stripe/portal/portal', describePortal(account, session, attempt));
    ctx.type = 'html';
  };
  const act = (path: string, work: (session: PortalSession, fields: URLSearchParams) => void): void => {
    router.post(`/p/session/:id/${path}`, (ctx) => {
      const session = find(ctx);
      if (session === undefined) return showEnd(ctx, pages);
      const fields = ctx.state.body instanceof URLSearchParams ? ctx.state.body : new URLSearchParams();
      try {
        work(session, fields);
      } catch (error) {
        if (!(error instanceof StripeError)) throw error;
        return show(ctx, session, { form: path === 'card' ? readForm(fields) : undefined, problem: error.message });
      }
      ctx.status = 303;
      // A flow that is done leads to where it was told to; else the page is shown again.
      ctx.set('location', session.flow?.after_completion.redirect?.return_url ?? `/p/session/${session.id}`);
    });
  };

  router.get('/p/session/:id', (ctx) => {
    const session = find(ctx);
    if (session === undefined) showEnd(ctx, pages);
    else show(ctx, session);
  });
  act('card', (session, fields) => {
    const form = readForm(fields);
    const refusal = checkCard(form, account.clock.now());
    if (refusal !== undefined) throw new StripeError(402, { type: 'card_error', ...refusal });
    account.change((change) => changeCustomerCard(change, session.customer, readCard(form)));
  });
  act('cancel', (session, fields) => endLater(account, session, fields, true));
  act('resume', (session, fields) => endLater(account, session, fields, false));
  act('pay', (session, fields) => {
    const id = fields.get('invoice') ?? '';
    if (account.state.invoices[id]?.customer === session.customer) payInvoice(account, id);
  });
  return router;
}

function endLater(account: Account, session: PortalSession, fields: URLSearchParams, ending: boolean): void {
  const id = fields.get('subscription') ?? '';
  if (account.state.subscriptions[id]?.customer !== session.customer) return;
  account.change((change) => changeSubscription(change, id, { cancel_at_period_end: ending }));
}

function showEnd(ctx: Context, pages: Pages): void {
  ctx.status = 404;
  const text = 'This address belongs to no billing portal. Go back and open it again.';
  ctx.body = pages.render('stripe/pay/ended', { title: 'Nothing to see here', text });
  ctx.type = 'html';
}

function readForm(fields: URLSearchParams): CardForm {
  const read = (name: string): string => (fields.get(name) ?? '').trim().slice(0, 500);
  return { card_number: read('card_number'), card_expiry: read('card_expiry'), card_cvc: read('card_cvc') };
}
