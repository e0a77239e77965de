import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Router } from '@koa/router';
import { Eta } from 'eta';
import type { Context } from 'koa';
import { ZodError } from 'zod';
import type { ControlDeps } from '../control.ts';
import type { FaultRequest } from '../faults.ts';
import type { RequestState } from '../parse-body.ts';
import { viewHome, viewRequest } from './view.ts';

const FOLDER = dirname(fileURLToPath(import.meta.url));
const PICO = createRequire(import.meta.url).resolve('@picocss/pico/css/pico.min.css');
const ASSETS: Record<string, { file: string; type: string }> = {
  'pico.css': { file: PICO, type: 'text/css' },
  'sandbox.css': { file: `${FOLDER}/sandbox.css`, type: 'text/css' },
  'live.js': { file: `${FOLDER}/live.js`, type: 'text/javascript' },
};

/** The page for people. Every value is escaped by the templates; nothing comes from another host. */
export function createPageRoutes(deps: ControlDeps): Router<RequestState> {
  const eta = new Eta({ views: FOLDER, cache: true });
  const router = new Router<RequestState>();
  router.use((ctx, next) => {
    ctx.set({
      'content-security-policy':
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data: 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
    });
    return next();
  });

  const render = (ctx: Context, view: string, data: object): void => {
    ctx.type = 'html';
    ctx.body = eta.render(view, data);
  };
  router.get('/', (ctx) => render(ctx, './home', { ...viewHome(deps), problems: [] }));
  router.get('/requests/:id', (ctx) => {
    const entry = deps.requests.list().find(({ id }) => id === Number(ctx.params['id']));
    if (!entry) ctx.throw(404, 'This request is no longer kept');
    else render(ctx, './request', viewRequest(entry));
  });
  router.post('/faults', (ctx) => {
    try {
      deps.faults.add(parseFaultForm(ctx.state.body));
    } catch (error) {
      if (!(error instanceof ZodError)) throw error;
      ctx.status = 400;
      const problems = error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
      render(ctx, './home', { ...viewHome(deps), problems });
      return;
    }
    redirect(ctx, '/#faults');
  });
  router.post('/faults/:id/remove', (ctx) => {
    deps.faults.remove(String(ctx.params['id']));
    redirect(ctx, '/#faults');
  });
  router.get('/assets/:name', (ctx) => {
    const asset = ASSETS[String(ctx.params['name'])];
    if (!asset) return;
    ctx.type = asset.type;
    ctx.body = readFileSync(asset.file, 'utf8');
  });
  return router;
}

function redirect(ctx: Context, location: string): void {
  ctx.redirect(location);
  ctx.status = 303;
}

/** The form's fields; an empty one is one that was left out. */
function parseFaultForm(body: unknown): FaultRequest {
  const form = body instanceof URLSearchParams ? body : new URLSearchParams();
  const text = (name: string): string | undefined => form.get(name)?.trim() || undefined;
  const number = (name: string): number | undefined => {
    const value = text(name);
    return value === undefined ? undefined : Number(value);
  };
  return {
    vendor: text('vendor') as FaultRequest['vendor'], // checked with the rest
    method: text('method'),
    path: text('path'),
    status: number('status'),
    delay_ms: number('delay_ms'),
    hold_ms: number('hold_ms'),
    cut: text('cut') as FaultRequest['cut'],
    becomes: text('becomes'),
    times: number('times'),
    after: number('after'),
  };
}
