import type { Middleware, ParameterizedContext } from 'koa';
import { inventKey } from '../keys.ts';
import type { RequestState } from '../parse-body.ts';
import type { Account } from './account.ts';
import { API_VERSION } from './account.ts';
import { StripeError } from './errors.ts';
import { expandAnswer } from './expand.ts';
import { parseForm } from './form.ts';
import type { FormObject } from './form.ts';
import { answerOnce, type Answer } from './idempotency.ts';
import type { Route } from './routes/route.ts';

type Context = ParameterizedContext<RequestState>;

/** Runs one operation for a request and answers as Stripe does: key, version, parameters, idempotency, expansion. */
export function respond(account: Account, route: Route): Middleware<RequestState> {
  return (ctx) => {
    const ids = (ctx as unknown as { params: Record<string, string> }).params;
    const form = readForm(ctx);
    const act = (): Answer => {
      const answer = route.run(form, ids);
      return { status: 200, body: expandAnswer(account.state, answer, form['expand'] as string[] | undefined) };
    };
    const key = ctx.get('idempotency-key');
    if (route.method !== 'post' || key === '') {
      ctx.body = act().body;
      return;
    }
    ctx.set('idempotency-key', key);
    const answer = answerOnce(account, { key, path: ctx.path, body: ctx.state.rawBody.toString('utf8') }, () => {
      try {
        return act();
      } catch (error) {
        // What was refused for its parameters never began, so nothing is kept of it; anything later is.
        if (!(error instanceof StripeError) || error.body.type === 'invalid_request_error') throw error;
        return { status: error.status, body: error.toBody(ctx.response.get('request-id') as string) };
      }
    });
    if (answer.replayed) ctx.set('idempotent-replayed', 'true');
    ctx.status = answer.status;
    ctx.body = answer.body;
  };
}

/** Gives each answer its headers and each refusal its shape; checks the key. */
export function answerErrors(account: Account): Middleware<RequestState> {
  return async (ctx, next) => {
    const requestId = inventKey('req_', 14);
    ctx.set('request-id', requestId);
    ctx.set('stripe-version', ctx.get('stripe-version') || API_VERSION);
    try {
      checkKey(ctx, account.state.secret_key);
      await next();
      if (ctx.status === 404 && ctx.body === undefined) {
        const message = `Unrecognized request URL (${ctx.method}: ${ctx.path}).`;
        throw new StripeError(404, { type: 'invalid_request_error', message });
      }
    } catch (error) {
      if (!(error instanceof StripeError)) throw error;
      ctx.status = error.status;
      if (error.status === 401) ctx.set('www-authenticate', 'Basic realm="Stripe"');
      ctx.body = error.toBody(requestId);
    }
  };
}

/** Parameters come in the query of GET and DELETE and in the form of POST. */
function readForm(ctx: Context): FormObject {
  if (
    ctx.state.bodyFault !== undefined ||
    (ctx.state.body !== undefined && !(ctx.state.body instanceof URLSearchParams))
  ) {
    throw new StripeError(400, {
      type: 'invalid_request_error',
      message: 'Invalid request: this API takes application/x-www-form-urlencoded.',
    });
  }
  return parseForm([
    ...new URLSearchParams(ctx.querystring),
    ...(ctx.state.body instanceof URLSearchParams ? ctx.state.body : []),
  ]);
}

/** The key is a bearer token, or the user name of Basic. */
function checkKey(ctx: Context, expected: string): void {
  const [, scheme = '', value = ''] = /^(Bearer|Basic) +(\S+)$/i.exec(ctx.get('authorization')) ?? [];
  const key = scheme.toLowerCase() === 'basic' ? Buffer.from(value, 'base64').toString('utf8').split(':')[0] : value;
  if (key === expected) return;
  const message =
    key === undefined || key === ''
      ? 'You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth ' +
        "(e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See https://stripe.com/docs/api#authentication for details."
      : `Invalid API Key provided: ${key.slice(0, 8)}${'*'.repeat(12)}${key.slice(-4)}`;
  throw new StripeError(401, { type: 'invalid_request_error', message });
}
