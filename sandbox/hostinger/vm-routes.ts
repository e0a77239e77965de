import { Router } from '@koa/router';
import type { Clock } from '../clock.ts';
import type { RequestState } from '../parse-body.ts';
import type { Store } from '../state.ts';
import { Faults, HostingerError } from './errors.ts';
import { asObject, parseHostname, parsePurchase, parseRecreate, parseSetup } from './parse-setup.ts';
import { presentAction, presentMachine, presentOrder, presentPage } from './present.ts';
import { type HostingerState, takeId } from './state.ts';
import type { VirtualMachines } from './virtual-machines.ts';

interface VmRoutesDeps {
  vms: VirtualMachines;
  store: Store<HostingerState>;
  clock: Clock;
}

/** /api/vps/v1/virtual-machines and the attaching of public keys. Every success is 200, POST too. */
export function createVmRoutes({ vms, store, clock }: VmRoutesDeps): Router<RequestState> {
  const router = new Router<RequestState>({ prefix: '/api/vps/v1' });
  const now = (): number => clock.now().getTime();

  router.get('/virtual-machines', (ctx) => {
    ctx.body = store.data.machines.map((vm) => presentMachine(vm, now()));
  });
  router.post('/virtual-machines', (ctx) => {
    const purchase = parsePurchase(ctx.state.body, store.data);
    const id = store.update(takeId);
    if (ctx.state.becomes === 'payment_initiated') {
      // Undeclared, but seen: the bank wants a step of its own. Nothing exists, and no endpoint reads the order.
      ctx.status = 202;
      ctx.body = { order: { id, status: 'payment_initiated', currency: 'USD', total: purchase.item.first } };
      return;
    }
    const { machine, subscription } = vms.purchase(purchase, ctx.state.becomes);
    ctx.body = {
      order: presentOrder(purchase.item, subscription, id),
      virtual_machine: presentMachine(machine, now()),
    };
  });
  router.get('/virtual-machines/:id', (ctx) => {
    ctx.body = presentMachine(vms.get(Number(ctx.params['id'])), now());
  });
  router.post('/virtual-machines/:id/setup', (ctx) => {
    const { id } = vms.get(Number(ctx.params['id']));
    const setup = parseSetup(ctx.state.body, store.data);
    ctx.body = presentMachine(vms.setUp(id, setup, ctx.state.becomes), now());
  });
  router.post('/virtual-machines/:id/recreate', (ctx) => {
    const { id } = vms.get(Number(ctx.params['id']));
    ctx.body = presentAction(vms.recreate(id, parseRecreate(ctx.state.body, store.data)));
  });
  for (const action of ['start', 'stop', 'restart'] as const) {
    router.post(`/virtual-machines/:id/${action}`, (ctx) => {
      ctx.body = presentAction(vms.power(Number(ctx.params['id']), action));
    });
  }
  router.put('/virtual-machines/:id/hostname', (ctx) => {
    const { id } = vms.get(Number(ctx.params['id']));
    ctx.body = presentAction(vms.setHostname(id, parseHostname(ctx.state.body)));
  });
  router.get('/virtual-machines/:id/actions', (ctx) => {
    const { id } = vms.get(Number(ctx.params['id']));
    const actions = store.data.actions.filter((action) => action.virtual_machine_id === id);
    ctx.body = presentPage(actions.toReversed().map(presentAction), ctx.query['page']);
  });
  router.get('/virtual-machines/:id/actions/:action', (ctx) => {
    const { id } = vms.get(Number(ctx.params['id']));
    const action = store.data.actions.find((one) => one.id === Number(ctx.params['action']));
    if (!action || action.virtual_machine_id !== id) throw new HostingerError(404, 'Action not found');
    ctx.body = presentAction(action);
  });
  router.get('/virtual-machines/:id/public-keys', (ctx) => {
    const { public_key_ids: ids } = vms.get(Number(ctx.params['id']));
    ctx.body = presentPage(
      store.data.keys.filter((key) => ids.includes(key.id)).map((key) => ({ ...key })),
      ctx.query['page'],
    );
  });
  router.post('/public-keys/attach/:id', (ctx) => {
    const vm = vms.get(Number(ctx.params['id']));
    const { ids } = asObject(ctx.state.body);
    const faults = new Faults();
    const known =
      Array.isArray(ids) && ids.length > 0 && ids.every((id) => store.data.keys.some((key) => key.id === id));
    if (!known) faults.add('ids', 'The selected ids are invalid.');
    faults.throwIfAny();
    ctx.body = presentAction(vms.attachKeys(vm.id, (ids as unknown[]).map(Number)));
  });
  return router;
}
