import { z } from 'zod';

/** More than this is a slip. */
const MOST_USD = 100_000;
const Usd = z.number().nonnegative().max(MOST_USD);
const Limit = Usd.nullable().describe('US dollars; null is no limit');
const Iso = z.iso.datetime();

export const BUDGET_LIMITS = { body_bytes: 4096 } as const;

/** What `budget_exceeded` names. */
export const BUDGET_NAMES = ['day', 'month', 'conversation'] as const;
export type BudgetName = (typeof BUDGET_NAMES)[number];

const Period = z.object({
  limit_usd: Limit,
  spent_usd: z.number().nonnegative().describe('By calls that have ended'),
  reserved_usd: z.number().nonnegative().describe('Set aside for calls at work'),
  left_usd: z.number().nonnegative().nullable().describe('Null where there is no limit'),
});

/** GET /api/budget: what models may cost, over all that ask this box. Days and months are those of UTC. */
export const BudgetReport = z.object({
  day: Period.extend({ ends_at: Iso }),
  month: Period.extend({ ends_at: Iso }),
  conversation: z.object({
    limit_usd: Limit.describe('For each conversation; null is no limit'),
    id: z.uuid().nullable().describe('The one that was asked about'),
    spent_usd: z.number().nonnegative().nullable(),
    reserved_usd: z.number().nonnegative().nullable(),
    left_usd: z.number().nonnegative().nullable(),
  }),
  models: z
    .array(
      z.object({
        model: z.string().describe('provider/model'),
        calls: z.number().int(),
        input_tokens: z.number().int(),
        cached_tokens: z.number().int(),
        output_tokens: z.number().int(),
        cost_usd: z.number().nonnegative(),
      }),
    )
    .describe('This month, the dearest first'),
});
export type BudgetReport = z.infer<typeof BudgetReport>;

/** PUT /api/budget: what is left out stays. */
export const ChangeBudgetRequest = z
  .strictObject({ day_usd: Limit.optional(), month_usd: Limit.optional(), conversation_usd: Limit.optional() })
  .refine((body) => Object.keys(body).length > 0, 'name day_usd, month_usd or conversation_usd');
export type ChangeBudgetRequest = z.infer<typeof ChangeBudgetRequest>;
