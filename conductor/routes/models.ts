import type { Models } from '../model/models.ts';
import type { RouteTable } from './routes.ts';

/** What can be asked here, and what it costs. */
export function createModelRoutes({ models }: { models: Models }): RouteTable {
  return {
    'GET /api/models': (ctx) => {
      ctx.body = models.list();
    },
  };
}
