import { Router } from '@koa/router';
import { buildConductorDocument } from '../../contract/openapi-conductor.ts';
import { buildControlPlaneDocument } from '../../contract/openapi-control-plane.ts';
import type { Deps } from '../deps.ts';
import packageJson from '../../package.json' with { type: 'json' };

/** The OpenAPI 3.1 documents of the control plane and of the service on a box. They don't change while this process runs. */
export function createOpenApiRoutes(deps: Pick<Deps, 'config'>): Router {
  const { BASE_URL, BOX_URL_TEMPLATE } = deps.config;
  const documents = {
    '/openapi.json': JSON.stringify(buildControlPlaneDocument(BASE_URL, packageJson.version)),
    '/openapi-conductor.json': JSON.stringify(buildConductorDocument(BOX_URL_TEMPLATE, packageJson.version)),
  };
  const router = new Router();
  for (const [path, document] of Object.entries(documents))
    router.get(path, (ctx) => {
      ctx.set('Cache-Control', 'public, max-age=300');
      ctx.type = 'application/json';
      ctx.body = document;
    });
  return router;
}
