import { Router } from '@koa/router';
import type { Assets } from '../pages/assets.ts';

/** Style sheets, scripts and pictures. Their names hold their hash, so that nobody ever needs to ask for one again. */
export function createAssetRoutes(deps: { pages: { assets: Assets } }): Router {
  const router = new Router();
  router.get('/assets/:name', (ctx) => {
    const asset = deps.pages.assets.find(ctx.path);
    if (asset === undefined) return;
    ctx.set('Cache-Control', 'public, max-age=31536000, immutable');
    ctx.type = asset.type;
    ctx.body = asset.body;
  });
  // Browsers ask here whatever the page says.
  router.get('/favicon.ico', (ctx) => {
    ctx.status = 302;
    ctx.redirect(deps.pages.assets.url('favicon.svg'));
  });
  return router;
}
