import { KEY_LIMITS, SetKeyRequest } from '../../contract/models.ts';
import { parseInput } from '../../contract/problem.ts';
import { readJsonBody } from '../json-body.ts';
import type { KeyRing } from '../keys/key-ring.ts';
import type { Context } from '../web.ts';
import type { RouteTable } from './routes.ts';

/** Whose keys the models are asked with. No answer holds one. */
export function createKeyRoutes({ keys }: { keys: KeyRing }): RouteTable {
  return {
    'GET /api/keys': (ctx) => {
      ctx.body = keys.list();
    },

    'PUT /api/keys/:provider': async (ctx) => {
      const { key, check } = parseInput(SetKeyRequest, await readJsonBody(ctx, KEY_LIMITS.body_bytes));
      await keys.set(readProvider(ctx), key, check);
      ctx.body = keys.list();
    },

    'DELETE /api/keys/:provider': async (ctx) => {
      await keys.remove(readProvider(ctx));
      ctx.body = keys.list();
    },
  };
}

function readProvider(ctx: Context): string {
  return (ctx['params'] as { provider: string }).provider;
}
