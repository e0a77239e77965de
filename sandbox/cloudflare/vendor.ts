import { timingSafeEqual } from 'node:crypto';
import { Router } from '@koa/router';
import type { Middleware, ParameterizedContext } from 'koa';
import type { RequestState } from '../parse-body.ts';
import type { Vendor, VendorContext } from '../vendor.ts';
import { CloudflareError } from './errors.ts';
import { filterRecords } from './filter-records.ts';
import { parseRecord } from './parse-record.ts';
import { presentPage, presentRecord, presentResult, presentZone } from './present.ts';
import { createRecords } from './records.ts';
import { createCloudflareState, type DnsRecord } from './state.ts';

/** Where Cloudflare's API lives below its host; a control plane's CLOUDFLARE_API_URL ends with it. */
export const API_PATH = '/client/v4';

/** Cloudflare's DNS API over one zone. */
export function createCloudflareVendor(context: VendorContext, options: { zone: string }): Vendor {
  const { clock } = context;
  const store = context.openStore(() => createCloudflareState(options.zone, clock.now()));
  const records = createRecords({ store, clock });
  const { zone } = store.data;

  const router = new Router<RequestState>({ prefix: API_PATH });
  router.use(requireToken(store.data.api_token), refuseBadJson);
  router.get('/user/tokens/verify', (ctx) => {
    const messages = [{ code: 10_000, message: 'This API Token is valid and active' }];
    ctx.body = presentResult({ id: store.data.token_id, status: 'active' }, { messages });
  });
  router.get('/zones', (ctx) => {
    const { name, status } = ctx.query;
    const isWanted = (name === undefined || name === zone.name) && (status === undefined || status === 'active');
    ctx.body = presentPage(isWanted ? [store.data] : [], ctx.query, 20, presentZone);
  });
  router.use('/zones/:zone', (ctx, next) => {
    if (ctx.params['zone'] !== zone.id) {
      throw new CloudflareError(404, {
        code: 7003,
        message: `Could not route to ${ctx.path}, perhaps your object identifier is invalid?`,
      });
    }
    return next();
  });
  router.get('/zones/:zone', (ctx) => {
    ctx.body = presentResult(presentZone(store.data));
  });
  router.get('/zones/:zone/dns_records', (ctx) => {
    ctx.body = presentPage<DnsRecord>(filterRecords(records.list(), ctx.query), ctx.query, 100, presentRecord);
  });
  router.post('/zones/:zone/dns_records', (ctx) => {
    ctx.body = presentResult(presentRecord(records.create(parseRecord(ctx.state.body, zone.name))));
  });
  router.get('/zones/:zone/dns_records/:id', (ctx) => {
    ctx.body = presentResult(presentRecord(records.get(String(ctx.params['id']))));
  });
  router.put('/zones/:zone/dns_records/:id', (ctx) => {
    const { id } = records.get(String(ctx.params['id']));
    ctx.body = presentResult(presentRecord(records.replace(id, parseRecord(ctx.state.body, zone.name))));
  });
  router.patch('/zones/:zone/dns_records/:id', (ctx) => {
    const record = records.get(String(ctx.params['id']));
    const fields = parseRecord(ctx.state.body, zone.name, record);
    ctx.body = presentResult(presentRecord(records.replace(record.id, fields)));
  });
  router.delete('/zones/:zone/dns_records/:id', (ctx) => {
    const id = String(ctx.params['id']);
    records.remove(id);
    ctx.body = presentResult({ id });
  });

  return {
    routes: async (ctx, next) => answerErrors(ctx, () => router.routes()(ctx as never, next)),
    credentials: { CLOUDFLARE_API_TOKEN: store.data.api_token, CLOUDFLARE_ZONE_ID: zone.id },
    summarize: () => ({ zones: 1, records: records.list().length }),
    inspect: () => ({ zone, records: records.list() }),
    resolve: (name) =>
      records
        .list()
        .filter((record) => record.type === 'A' && record.name === name.toLowerCase())
        .map((record) => record.content),
    namesOf: (ipv4) =>
      records
        .list()
        .filter((record) => record.type === 'A' && record.content === ipv4)
        .map((record) => record.name),
  };
}

async function answerErrors(ctx: ParameterizedContext<RequestState>, next: () => Promise<unknown>): Promise<void> {
  try {
    await next();
    if (ctx.status === 404 && ctx.body === undefined) {
      throw new CloudflareError(404, { code: 7003, message: `No route for that URI: ${ctx.path}` });
    }
  } catch (error) {
    if (!(error instanceof CloudflareError)) throw error;
    ctx.status = error.status;
    ctx.body = error.toBody();
  }
}

function requireToken(token: string): Middleware<RequestState> {
  const expected = Buffer.from(token);
  return (ctx, next) => {
    const header = ctx.get('authorization');
    if (header === '') throw new CloudflareError(400, { code: 9106, message: 'Missing Authorization header' });
    const given = Buffer.from(/^Bearer (.+)$/i.exec(header)?.[1] ?? '');
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
      throw new CloudflareError(403, { code: 9109, message: 'Invalid access token' });
    }
    return next();
  };
}

const refuseBadJson: Middleware<RequestState> = (ctx, next) => {
  if (ctx.state.bodyFault !== undefined)
    throw new CloudflareError(400, { code: 9207, message: 'Request body is invalid.' });
  return next();
};
