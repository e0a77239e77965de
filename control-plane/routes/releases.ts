import { createReadStream, readFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { Router } from '@koa/router';
import { SpoqError } from '../../contract/errors.ts';
import type { Deps } from '../deps.ts';
import { RELEASE_NAME } from '../releases.ts';

/** GET /releases/<file> and /install.sh, which downloads and checks them. */
export function createReleaseRoutes(deps: Pick<Deps, 'config'>): Router {
  const router = new Router();
  const folder = resolve(deps.config.RELEASES_DIR);
  const script = renderInstallScript(deps.config.BASE_URL);

  router.get('/install.sh', (ctx) => {
    ctx.type = 'text/plain; charset=utf-8';
    ctx.set('Cache-Control', 'no-cache');
    ctx.body = script;
  });

  router.get('/releases/:file', async (ctx) => {
    const name = String(ctx['params'].file);
    const file = join(folder, name);
    const info = RELEASE_NAME.test(name) ? await stat(file).catch(() => undefined) : undefined;
    if (info?.isFile() !== true)
      throw new SpoqError('not_found', {
        detail: `There is no release named ${RELEASE_NAME.test(name) ? name : 'so'} on this server.`,
        next: 'See /releases/SHA256SUMS for what there is. Whoever runs this server makes releases with `npm run release`.',
      });
    ctx.set('Cache-Control', 'no-cache');
    ctx.etag = `"${info.size.toString(16)}-${Math.trunc(info.mtimeMs).toString(16)}"`;
    ctx.lastModified = info.mtime;
    ctx.type = name === 'SHA256SUMS' ? 'text/plain; charset=utf-8' : 'application/octet-stream';
    ctx.length = info.size;
    ctx.status = 200; // only an answer that is fine can be fresh
    if (ctx.fresh) ctx.status = 304;
    else if (ctx.method !== 'HEAD') ctx.body = createReadStream(file);
  });
  return router;
}

/** The script with our address in it, quoted for the shell. */
export function renderInstallScript(baseUrl: string): string {
  const template = readFileSync(join(import.meta.dirname, '../install.sh'), 'utf8');
  return template.replace('@BASE_URL@', () => baseUrl.replaceAll("'", String.raw`'\''`));
}
