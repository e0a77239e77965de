import { Stripe } from 'stripe';
import { SpoqError } from '../../contract/errors.ts';

/**
 * Runs a call to Stripe; its failures become `upstream_failed` (worth another try) or `upstream_refused` (ours to mend).
 * @param what completes "Stripe did not let us …"
 * @param kept what a person may rely on all the same
 */
export async function askStripe<T>(what: string, call: () => Promise<T>, kept = 'Nothing was charged.'): Promise<T> {
  try {
    return await call();
  } catch (cause) {
    if (!(cause instanceof Stripe.errors.StripeError)) throw cause;
    const refused = cause.statusCode !== undefined && cause.statusCode < 500 && ![409, 429].includes(cause.statusCode);
    throw new SpoqError(refused ? 'upstream_refused' : 'upstream_failed', {
      detail: refused
        ? `Stripe did not let us ${what}. ${kept}`
        : `Stripe did not answer when we tried to ${what}. ${kept}`,
      ...(refused ? {} : { retryAfterSeconds: 30 }),
      cause,
    });
  }
}

/** Something that was paid for, or undefined when Stripe has none of that id. */
export async function findAtStripe<T>(what: string, call: () => Promise<T>): Promise<T | undefined> {
  try {
    return await askStripe(what, call, 'What you have paid is not lost: load this page again in a moment.');
  } catch (error) {
    const { cause } = error as { cause?: unknown };
    if (cause instanceof Stripe.errors.StripeError && cause.statusCode === 404) return undefined;
    throw error;
  }
}
