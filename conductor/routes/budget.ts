import { z } from 'zod';
import { BUDGET_LIMITS, ChangeBudgetRequest } from '../../contract/budget.ts';
import { SpoqError } from '../../contract/errors.ts';
import { parseInput } from '../../contract/problem.ts';
import type { Budget, Limits } from '../budget/budget.ts';
import type { Conversations } from '../conversations/conversations.ts';
import { readJsonBody } from '../json-body.ts';
import type { RouteTable } from './routes.ts';

/** What models may cost. */
export function createBudgetRoutes({
  budget,
  conversations,
}: {
  budget: Budget;
  conversations: Conversations;
}): RouteTable {
  return {
    'GET /api/budget': (ctx) => {
      const { conversation } = parseInput(z.strictObject({ conversation: z.uuid().optional() }), { ...ctx.query });
      if (conversation !== undefined && conversations.list({ id: conversation, limit: 1 }).conversations.length === 0) {
        throw new SpoqError('conversation_unknown');
      }
      ctx.body = budget.report(conversation);
    },

    'PUT /api/budget': async (ctx) => {
      const { day_usd, month_usd, conversation_usd } = parseInput(
        ChangeBudgetRequest,
        await readJsonBody(ctx, BUDGET_LIMITS.body_bytes),
      );
      const changes = Object.entries({ day: day_usd, month: month_usd, conversation: conversation_usd })
        .filter(([, usd]) => usd !== undefined)
        .map(([name, usd]) => [name, typeof usd === 'number' ? Math.round(usd * 1_000_000) : null]);
      await budget.setLimits(Object.fromEntries(changes) as Partial<Limits>);
      ctx.body = budget.report();
    },
  };
}
