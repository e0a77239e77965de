import { z } from 'zod';

/** What can be bought. `lookup_key` names the Stripe price; the vendor products are what a plan becomes at each provider. */
export const PLANS = {
  basic: {
    name: 'Basic',
    lookup_key: 'spoq_basic_monthly',
    unit_amount: 1200,
    currency: 'usd',
    cpus: 4,
    memory_gb: 8,
    disk_gb: 100,
    contabo_product: 'V153',
    hostinger_item: 'hostingercom-vps-kvm2-usd-1m',
  },
  plus: {
    name: 'Plus',
    lookup_key: 'spoq_plus_monthly',
    unit_amount: 2400,
    currency: 'usd',
    cpus: 6,
    memory_gb: 12,
    disk_gb: 200,
    contabo_product: 'V154',
    hostinger_item: 'hostingercom-vps-kvm4-usd-1m',
  },
} as const;
export type PlanName = keyof typeof PLANS;
export const PLAN_NAMES = Object.keys(PLANS) as PlanName[];

export const SUBSCRIPTION_STATUSES = ['active', 'past_due', 'cancelled', 'expired'] as const;
export type SubscriptionStatus = (typeof SUBSCRIPTION_STATUSES)[number];

/** POST /api/subscription/create, from a form or JSON. */
export const CreateSubscriptionRequest = z.strictObject({ plan: z.enum(PLAN_NAMES as [PlanName, ...PlanName[]]) });

/** Its answer: where to pay. A form post is redirected (303) there instead. */
export const CreateSubscriptionResponse = z.object({ checkout_url: z.url() });

/** The answer to Stripe's webhook. `ignored`: events of a kind that means nothing to Spoq. */
export const StripeEventReceipt = z.object({
  received: z.literal(true),
  outcome: z.enum(['applied', 'repeated', 'ignored']),
});
