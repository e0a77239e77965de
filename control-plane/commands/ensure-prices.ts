import { PLANS, PLAN_NAMES, type PlanName } from '../../contract/billing.ts';
import type { Deps } from '../deps.ts';
import { askStripe } from '../integrations/stripe-errors.ts';

/**
 * Makes sure that Stripe has a product and a monthly price for every plan, and answers the prices' ids. Prices are found by
 * their lookup key; a plan whose amount has changed gets a new price that takes the key over, and those who pay the old one go on.
 */
export async function ensurePrices(deps: Pick<Deps, 'stripe'>): Promise<Record<PlanName, string>> {
  return askStripe('read our prices', async () => {
    const keys = PLAN_NAMES.map((name) => PLANS[name].lookup_key);
    const { data } = await deps.stripe.prices.list({ lookup_keys: keys, active: true, limit: 100 });
    const found: Partial<Record<PlanName, string>> = {};
    for (const name of PLAN_NAMES) {
      const plan = PLANS[name];
      const price = data.find(
        (one) =>
          one.lookup_key === plan.lookup_key &&
          one.unit_amount === plan.unit_amount &&
          one.currency === plan.currency &&
          one.recurring?.interval === 'month',
      );
      found[name] = price?.id ?? (await createPrice(deps, name));
    }
    return found as Record<PlanName, string>;
  });
}

async function createPrice(deps: Pick<Deps, 'stripe'>, name: PlanName): Promise<string> {
  const { lookup_key: key, unit_amount: amount, currency, name: title } = PLANS[name];
  // Two servers that start at once send the same keys and so get the same objects.
  const label = `${key}_${currency}_${amount}`;
  const product = await deps.stripe.products.create(
    { name: `Spoq ${title}`, metadata: { plan: name } },
    { idempotencyKey: `product_${label}` },
  );
  const price = await deps.stripe.prices.create(
    {
      product: product.id,
      currency,
      unit_amount: amount,
      recurring: { interval: 'month' },
      lookup_key: key,
      transfer_lookup_key: true,
      metadata: { plan: name },
    },
    { idempotencyKey: `price_${label}` },
  );
  return price.id;
}
