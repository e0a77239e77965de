import { Router } from '@koa/router';
import type { ParameterizedContext } from 'koa';
import type { Pages } from '../../pages.ts';
import type { RequestState } from '../../parse-body.ts';
import type { Account } from '../account.ts';
import { completeCheckout } from '../commands/complete-checkout.ts';
import type { CheckoutSession } from '../state.ts';
import { checkCard, readCard } from './check-card.ts';
import { describeEnd, describeForm, type PayForm } from './view.ts';

type Context = ParameterizedContext<RequestState>;

/** The page behind a session's `url`: GET shows it, POST pays. */
export function createPayRoutes(account: Account, pages: Pages): Router<RequestState> {
  const router = new Router<RequestState>();
  router.get('/c/pay/:id', (ctx) => {
    const session = account.state.checkout_sessions[String(ctx.params['id'])];
    if (session === undefined || session.status !== 'open') return showEnd(ctx, pages, session);
    ctx.body = pages.render('stripe/pay/pay', describeForm(account, session));
    ctx.type = 'html';
  });
  router.post('/c/pay/:id', (ctx) => {
    const session = account.state.checkout_sessions[String(ctx.params['id'])];
    // A second press of the button finds the session complete and goes where the first one went.
    if (session?.status === 'complete') return redirect(ctx, session);
    if (session === undefined || session.status !== 'open') return showEnd(ctx, pages, session);
    const form = readForm(ctx.state.body);
    const refusal = checkCard(form, account.clock.now());
    const problem = form.email.includes('@') ? refusal?.message : 'Your email address is incomplete.';
    if (problem !== undefined) {
      ctx.status = 402;
      ctx.body = pages.render('stripe/pay/pay', describeForm(account, session, { form, problem }));
      ctx.type = 'html';
      return;
    }
    const payment = { email: form.email, name: form.name || null, card: readCard(form) };
    redirect(ctx, completeCheckout(account, session.id, payment));
  });
  return router;
}

function redirect(ctx: Context, session: CheckoutSession): void {
  ctx.status = 303;
  ctx.set('location', session.success_url.replaceAll('{CHECKOUT_SESSION_ID}', session.id));
}

function showEnd(ctx: Context, pages: Pages, session: CheckoutSession | undefined): void {
  ctx.status = session === undefined ? 404 : 200;
  ctx.body = pages.render('stripe/pay/ended', describeEnd(session));
  ctx.type = 'html';
}

function readForm(body: unknown): PayForm {
  const fields = body instanceof URLSearchParams ? body : new URLSearchParams();
  const read = (name: string): string => (fields.get(name) ?? '').trim().slice(0, 500);
  return {
    email: read('email'),
    card_number: read('card_number'),
    card_expiry: read('card_expiry'),
    card_cvc: read('card_cvc'),
    name: read('name'),
  };
}
