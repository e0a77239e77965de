import { Router } from '@koa/router';
import type { Clock } from '../clock.ts';
import type { RequestState } from '../parse-body.ts';
import type { Store } from '../state.ts';
import { ACCOUNT } from './catalog.ts';
import { ContaboError } from './errors.ts';
import { ACTIONS, type Instances } from './instances.ts';
import { asObject, parseOrder, parsePatch, parseReinstall } from './parse-order.ts';
import { presentInstance, presentList, presentOne, presentOrder, presentReference } from './present.ts';
import type { ContaboState, Instance } from './state.ts';

interface InstanceRoutesDeps {
  instances: Instances;
  store: Store<ContaboState>;
  clock: Clock;
}

/** /v1/compute/instances. */
export function createInstanceRoutes({ instances, store, clock }: InstanceRoutesDeps): Router<RequestState> {
  const router = new Router<RequestState>({ prefix: '/v1/compute/instances' });
  const now = (): number => clock.now().getTime();
  router.use((_ctx, next) => {
    instances.schedule.wake();
    return next();
  });

  router.get('/', (ctx) => {
    const found = instances.list().filter((instance) => isWanted(instance, ctx.query));
    ctx.body = presentList(
      ctx,
      found.map((instance) => presentInstance(instance, now())),
    );
  });
  router.post('/', (ctx) => {
    const instance = instances.order(parseOrder(ctx.state.body, store.data.secrets), ctx.state.becomes);
    ctx.status = 201;
    ctx.body = presentOne(ctx, presentOrder(instance));
  });
  router.get('/:id', (ctx) => {
    ctx.body = presentOne(ctx, presentInstance(instances.get(Number(ctx.params['id'])), now()));
  });
  router.patch('/:id', (ctx) => {
    const id = Number(ctx.params['id']);
    const name = parsePatch(ctx.state.body);
    ctx.body = presentOne(ctx, presentReference(name === undefined ? instances.get(id) : instances.rename(id, name)));
  });
  router.put('/:id', (ctx) => {
    const id = Number(ctx.params['id']);
    instances.get(id);
    const disk = parseReinstall(ctx.state.body, store.data.secrets);
    ctx.body = presentOne(ctx, presentReference(instances.reinstall(id, disk)));
  });
  router.post('/:id/cancel', (ctx) => {
    const body = ctx.state.rawBody.length === 0 ? {} : asObject(ctx.state.body);
    const instance = instances.cancel(Number(ctx.params['id']), parseCancelDate(body['cancelDate']));
    ctx.status = 201;
    ctx.body = presentOne(ctx, { ...ACCOUNT, instanceId: instance.id, cancelDate: instance.ends_at?.slice(0, 10) });
  });
  router.post('/:id/actions/:action', (ctx) => {
    const action = ACTIONS.find((one) => one === ctx.params['action']);
    if (!action) throw new ContaboError(404, `Cannot ${ctx.method} ${ctx.path}`);
    const instance = instances.act(Number(ctx.params['id']), action);
    ctx.status = 201;
    ctx.body = presentOne(ctx, { ...ACCOUNT, instanceId: instance.id, action });
  });
  return router;
}

/** The filters of the document. A parameter that isn't one is ignored, so a misspelt filter answers everything. */
function isWanted(instance: Instance, query: Record<string, string | string[] | undefined>): boolean {
  const is = (name: string, value: string): boolean => query[name] === undefined || String(query[name]) === value;
  const isAmong = (name: string, value: string): boolean =>
    query[name] === undefined || String(query[name]).split(',').includes(value);
  return (
    is('displayName', instance.display_name) &&
    is('name', `vmi${instance.id}`) &&
    is('instanceId', String(instance.id)) &&
    isAmong('instanceIds', String(instance.id)) &&
    is('region', instance.region) &&
    is('status', instance.status) &&
    isAmong('productIds', instance.product_id) &&
    is('ipConfig', instance.ipv4)
  );
}

function parseCancelDate(value: unknown): Date | undefined {
  if (value === undefined) return undefined;
  const date = new Date(String(value));
  if (Number.isNaN(date.getTime())) throw new ContaboError(400, ['cancelDate must be a valid ISO 8601 date string']);
  return date;
}
