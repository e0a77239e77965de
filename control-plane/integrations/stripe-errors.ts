import { Stripe } from 'stripe';
import { SpoqError } from '../../contract/errors.ts';

/** Runs a call to Stripe; its failures become `upstream_failed` (worth another try) or `upstream_refused` (ours to mend). */
export async function askStripe<T>(what: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    if (!(cause instanceof Stripe.errors.StripeError)) throw cause;
    const refused = cause.statusCode !== undefined && cause.statusCode < 500 && ![409, 429].includes(cause.statusCode);
    throw new SpoqError(refused ? 'upstream_refused' : 'upstream_failed', {
      detail: refused
        ? `Stripe did not let us ${what}. Nothing was charged.`
        : `Stripe did not answer when we tried to ${what}. Nothing was charged.`,
      ...(refused ? {} : { retryAfterSeconds: 30 }),
      cause,
    });
  }
}

/** The object, or undefined when Stripe has none of that id. */
export async function findAtStripe<T>(what: string, call: () => Promise<T>): Promise<T | undefined> {
  try {
    return await askStripe(what, call);
  } catch (error) {
    const { cause } = error as { cause?: unknown };
    if (cause instanceof Stripe.errors.StripeError && cause.statusCode === 404) return undefined;
    throw error;
  }
}
