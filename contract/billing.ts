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

/** What a person must know about what they pay, wherever they look: a page, the command line. */
export const BillingNotice = z.object({
  code: z.enum(['payment_failed', 'subscription_ended', 'box_stopped', 'ends_soon', 'box_returns', 'box_deleted']),
  message: z.string().describe('One or two sentences, with the dates that matter'),
  at: z.iso.datetime().nullable().describe('When the next thing happens'),
  url: z.url().describe('Where to see to it'),
});
export type BillingNotice = z.infer<typeof BillingNotice>;

/** POST /account/billing/plan. */
export const ChangePlanRequest = z.strictObject({
  plan: z.enum(PLAN_NAMES as [PlanName, ...PlanName[]]),
  proration_date: z.coerce
    .number()
    .int()
    .positive()
    .describe('Of the calculation that is agreed to, in seconds since 1970'),
});
