import { createServer } from 'node:http';
import { Router } from '@koa/router';
import Koa, { type Middleware } from 'koa';
import type { Logger } from 'pino';
import { ZodError } from 'zod';
import type { Clock } from './clock.ts';
import { changeDelays, type Delays } from './delays.ts';
import type { Faults } from './faults.ts';
import type { Machines } from './machines/machines.ts';
import { createPageRoutes } from './page/routes.ts';
import { parseBody, type RequestState } from './parse-body.ts';
import type { RequestLog } from './request-log.ts';
import { closeServer, listen, VENDOR_NAMES, type Vendor, type VendorName } from './vendor.ts';

/** Everything the page and the control API show and change. */
export interface ControlDeps {
  vendors: ReadonlyMap<VendorName, Vendor>;
  urls: Record<string, string>;
  faults: Faults;
  requests: RequestLog;
  machines: Machines;
  delays: Delays;
  clock: Clock;
  log: Logger;
}

/** The sandbox's own server: the page at `/`, the control API below `/api`. */
export async function createControlServer(
  deps: ControlDeps,
  options: { host: string; port: number },
): Promise<{ url: string; close(): Promise<void> }> {
  const app = new Koa<RequestState>();
  app.on('error', (error: unknown) => deps.log.error({ err: error }, 'sandbox page failed'));
  app.use(answerFaultyInput);
  if (isLoopback(options.host)) app.use(refuseOtherNames);
  app.use(refuseOtherSites);
  app.use(parseBody);
  app.use(createApiRoutes(deps).routes() as Middleware<RequestState>);
  app.use(createPageRoutes(deps).routes() as Middleware<RequestState>);
  const server = createServer(app.callback());
  const port = await listen(server, options.host, options.port);
  return { url: `http://${options.host}:${port}`, close: () => closeServer(server) };
}

function createApiRoutes(deps: ControlDeps): Router<RequestState> {
  const { faults, requests, machines, delays, clock, vendors } = deps;
  const router = new Router<RequestState>({ prefix: '/api' });

  router.get('/requests', (ctx) => {
    const vendor = VENDOR_NAMES.find((name) => name === ctx.query['vendor']);
    ctx.body = requests.list({ vendor, since: Number(ctx.query['since'] ?? 0) || 0 });
  });
  router.delete('/requests', (ctx) => {
    requests.clear();
    ctx.status = 204;
  });
  router.get('/faults', (ctx) => {
    ctx.body = faults.list();
  });
  router.post('/faults', (ctx) => {
    ctx.status = 201;
    ctx.body = faults.add(ctx.state.body as Parameters<Faults['add']>[0]);
  });
  router.delete('/faults', (ctx) => {
    faults.clear();
    ctx.status = 204;
  });
  router.delete('/faults/:id', (ctx) => {
    ctx.status = faults.remove(String(ctx.params['id'])) ? 204 : 404;
  });
  router.get('/machines', (ctx) => {
    ctx.body = machines.list();
  });
  router.get('/mails', (ctx) => {
    ctx.body = vendors.get('mail')?.mails?.() ?? [];
  });
  router.get('/delays', (ctx) => {
    ctx.body = delays;
  });
  router.post('/delays', (ctx) => {
    const wrong = changeDelays(delays, asObject(ctx.state.body));
    if (wrong.length > 0) ctx.throw(400, `Not a delay in milliseconds: ${wrong.join(', ')}`);
    ctx.body = delays;
  });
  router.get('/clock', (ctx) => {
    ctx.body = { now: clock.now().toISOString() };
  });
  router.post('/clock', (ctx) => {
    const ms = asObject(ctx.state.body)['advance_ms'];
    if (typeof ms !== 'number' || !(ms >= 0)) ctx.throw(400, 'advance_ms must be a number of 0 or more');
    clock.advance(Number(ms));
    ctx.body = { now: clock.now().toISOString() };
  });
  router.get('/state/:vendor', (ctx) => {
    const name = VENDOR_NAMES.find((one) => one === ctx.params['vendor']);
    const vendor = name && vendors.get(name);
    if (!vendor) ctx.throw(404, 'The sandbox runs no such vendor');
    ctx.body = vendor?.inspect?.() ?? {};
  });
  return router;
}

function asObject(body: unknown): Record<string, unknown> {
  return typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {};
}

/** Says in one sentence what is wrong with a request. */
const answerFaultyInput: Middleware<RequestState> = async (ctx, next) => {
  try {
    await next();
  } catch (error) {
    if (!(error instanceof ZodError)) throw error;
    ctx.status = 400;
    const faults = error.issues.map(({ path, message }) => `${path.join('.') || 'fault'}: ${message}`);
    ctx.body = `${faults.join('\n')}\n`;
  }
};

function isLoopback(name: string): boolean {
  return /^(localhost|.+\.localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/i.test(name);
}

/**
 * The page shows what vendors were sent, keys among it. A name that leads here and isn't this machine's own belongs to
 * somebody whose page would read it all (DNS rebinding).
 */
const refuseOtherNames: Middleware<RequestState> = (ctx, next) => {
  if (!isLoopback(ctx.get('host').replace(/:\d+$/, ''))) ctx.throw(403, 'The sandbox answers as localhost only');
  return next();
};

/** A page of another site must not make a browser change anything here. Programs send no such header. */
const refuseOtherSites: Middleware<RequestState> = (ctx, next) => {
  const site = ctx.get('sec-fetch-site');
  const isRead = ctx.method === 'GET' || ctx.method === 'HEAD';
  if (!isRead && site !== '' && site !== 'same-origin') ctx.throw(403, 'The request came from another site');
  return next();
};
