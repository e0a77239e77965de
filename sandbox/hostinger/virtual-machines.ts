import type { Clock } from '../clock.ts';
import type { Delays } from '../delays.ts';
import { inventKey } from '../keys.ts';
import type { Machines } from '../machines/machines.ts';
import { addMonths, createSchedule, earliest, type Schedule } from '../schedule.ts';
import type { Store } from '../state.ts';
import { PRICE_ITEMS } from './catalog.ts';
import { HostingerError } from './errors.ts';
import type { Purchase, Setup } from './parse-setup.ts';
import {
  type Action,
  type HostingerState,
  type Subscription,
  takeId,
  type VirtualMachine,
  type VmState,
} from './state.ts';

export interface VirtualMachinesDeps {
  store: Store<HostingerState>;
  clock: Clock;
  delays: Delays;
  machines: Machines;
}

/** The virtual machines of the account with what pays for them. */
export interface VirtualMachines {
  /** Throws 404. */
  get(id: number): VirtualMachine;
  /** Buys one more machine, each time. `becomes`: `initial` for a set-up that fails, `error` for one that never runs. */
  purchase(purchase: Purchase, becomes?: string): { machine: VirtualMachine; subscription: Subscription };
  /** Sets up a machine in state `initial`; 422 in any other. */
  setUp(id: number, setup: Setup, becomes?: string): VirtualMachine;
  recreate(id: number, disk: Pick<Setup, 'template_id' | 'post_install_script_id'>): Action;
  power(id: number, action: 'start' | 'stop' | 'restart'): Action;
  setHostname(id: number, hostname: string): Action;
  attachKeys(id: number, keyIds: number[]): Action;
  setRenewal(subscriptionId: string, renews: boolean): Subscription;
  schedule: Schedule;
}

/** The id of a virtual machine's machine. */
function machineId(vm: VirtualMachine): string {
  return `hostinger-${vm.id}`;
}

/** How many months a price item pays for. */
function periodOf(subscription: Subscription): number {
  return PRICE_ITEMS.find(({ id }) => id === subscription.price_item_id)?.months ?? 1;
}

export function createVirtualMachines({ store, clock, delays, machines }: VirtualMachinesDeps): VirtualMachines {
  const now = (): number => clock.now().getTime();

  const install = (vm: VirtualMachine): void => {
    const script = store.data.scripts.find(({ id }) => id === vm.post_install_script_id);
    delete vm.post_install_script_id;
    machines.reinstall(machineId(vm), script && { kind: 'post-install', text: script.content });
  };

  /** Enters the state that was planned, and ends the action that led there. */
  const enter = (data: HostingerState, vm: VirtualMachine, next: NonNullable<VirtualMachine['next']>): void => {
    delete vm.next;
    const installs = vm.state === 'creating' || vm.state === 'recreating';
    vm.state = next.state;
    if (next.state === 'running') {
      if (installs) install(vm);
      machines.power(machineId(vm), true);
      vm.address_at ??= next.at + delays.address_ms;
    } else if (next.state === 'stopped') machines.power(machineId(vm), false);
    const action = data.actions.find(({ id }) => id === next.action_id);
    if (action) Object.assign(action, { state: 'success', updated_at: new Date(next.at).toISOString() });
  };

  const settleSubscription = (data: HostingerState, subscription: Subscription): void => {
    if (subscription.status === 'active') {
      subscription.expires_at = addMonths(new Date(subscription.expires_at), periodOf(subscription)).toISOString();
      return;
    }
    subscription.status = 'cancelled';
    for (const vm of data.machines.filter((one) => one.subscription_id === subscription.id)) {
      machines.destroy(machineId(vm));
    }
    data.machines = data.machines.filter((one) => one.subscription_id !== subscription.id);
  };

  const settle = (time: number): void =>
    store.update((data) => {
      for (const vm of data.machines) {
        if (vm.next && vm.next.at <= time) enter(data, vm, vm.next);
      }
      for (const subscription of data.subscriptions) {
        const end = endOf(subscription);
        if (end !== undefined && end <= time) settleSubscription(data, subscription);
      }
    });

  const schedule = createSchedule({
    clock,
    settle,
    nextDue: () => earliest([...store.data.machines.map((vm) => vm.next?.at), ...store.data.subscriptions.map(endOf)]),
  });

  const get = (id: number): VirtualMachine => {
    const vm = store.data.machines.find((one) => one.id === id);
    if (!vm) throw new HostingerError(404, 'Virtual machine not found');
    return vm;
  };
  const getUnlocked = (id: number): VirtualMachine => {
    const vm = get(id);
    if (vm.next) throw new HostingerError(422, 'The virtual machine is locked by another action.');
    return vm;
  };
  /** Records an action and plans the state it leads to. */
  const act = (vm: VirtualMachine, name: string, change: { now?: VmState; after?: VmState; ms: number }): Action => {
    const action = store.update((data): Action => {
      const at = clock.now().toISOString();
      const id = takeId(data);
      const state = change.after === undefined ? ('success' as const) : ('sent' as const);
      const made: Action = { id, virtual_machine_id: vm.id, name, state, created_at: at, updated_at: at };
      data.actions.push(made);
      if (change.now) vm.state = change.now;
      if (change.after) vm.next = { state: change.after, at: now() + change.ms, action_id: id };
      return made;
    });
    setImmediate(schedule.wake);
    return action;
  };
  const applySetup = (data: HostingerState, vm: VirtualMachine, setup: Setup, becomes: string | undefined): void => {
    const { template_id, data_center_id, post_install_script_id, hostname, public_key, ns1, ns2 } = setup;
    Object.assign(vm, { template_id, data_center_id, post_install_script_id });
    if (hostname !== undefined) vm.hostname = hostname;
    if (ns1 !== undefined) vm.ns1 = ns1;
    if (ns2 !== undefined) vm.ns2 = ns2;
    if (public_key) {
      const key = { id: takeId(data), ...public_key };
      data.keys.push(key);
      vm.public_key_ids.push(key.id);
    }
    vm.state = 'creating';
    vm.next = { state: becomes === 'error' ? 'error' : 'running', at: now() + delays.provisioning_ms };
    machines.rename(machineId(vm), vm.hostname);
  };

  return {
    schedule,
    get,
    purchase({ item, setup }, becomes) {
      const bought = store.update((data) => {
        const id = takeId(data);
        const created = clock.now();
        const subscription: Subscription = {
          id: inventKey('Azz', 14),
          price_item_id: item.id,
          status: 'active',
          created_at: created.toISOString(),
          expires_at: addMonths(created, item.months).toISOString(),
        };
        const hostname = `srv${id}.hstgr.cloud`;
        const machine: VirtualMachine = {
          id,
          subscription_id: subscription.id,
          price_item_id: item.id,
          hostname,
          state: 'initial',
          data_center_id: setup.data_center_id,
          template_id: null,
          ns1: '1.1.1.1',
          ns2: '8.8.8.8',
          created_at: created.toISOString(),
          ipv4: machines.create(`hostinger-${id}`, 'hostinger', hostname).ipv4,
          public_key_ids: [],
        };
        data.subscriptions.push(subscription);
        data.machines.push(machine);
        if (becomes !== 'initial') applySetup(data, machine, setup, becomes);
        return { machine, subscription };
      });
      setImmediate(schedule.wake);
      return bought;
    },
    setUp(id, setup, becomes) {
      const vm = getUnlocked(id);
      if (vm.state !== 'initial') throw new HostingerError(422, 'The virtual machine is already set up.');
      if (becomes !== 'initial') store.update((data) => applySetup(data, vm, setup, becomes));
      setImmediate(schedule.wake);
      return vm;
    },
    recreate(id, disk) {
      const vm = getUnlocked(id);
      if (vm.state === 'initial') throw new HostingerError(422, 'The virtual machine is not set up.');
      store.update(() => {
        Object.assign(vm, { post_install_script_id: undefined, ...disk });
        machines.power(machineId(vm), false);
      });
      return act(vm, 'recreate', { now: 'recreating', after: 'running', ms: delays.installing_ms });
    },
    power(id, action) {
      const vm = getUnlocked(id);
      const isRunning = vm.state === 'running';
      if (!isRunning && vm.state !== 'stopped') throw new HostingerError(422, `The virtual machine is ${vm.state}.`);
      const ms = delays.action_ms;
      if (action === 'stop') {
        return act(vm, action, isRunning ? { now: 'stopping', after: 'stopped', ms } : { ms });
      }
      if (action === 'start' && isRunning) return act(vm, action, { ms });
      if (isRunning) machines.power(machineId(vm), false);
      return act(vm, action, { now: 'starting', after: 'running', ms });
    },
    setHostname(id, hostname) {
      const vm = getUnlocked(id);
      vm.hostname = hostname;
      machines.rename(machineId(vm), hostname);
      return act(vm, 'set_hostname', { ms: 0 });
    },
    attachKeys(id, keyIds) {
      const vm = getUnlocked(id);
      vm.public_key_ids = [...new Set([...vm.public_key_ids, ...keyIds])];
      return act(vm, 'attach_public_key', { ms: 0 });
    },
    setRenewal(id, renews) {
      const subscription = store.data.subscriptions.find((one) => one.id === id);
      if (!subscription || subscription.status === 'cancelled') throw new HostingerError(404, 'Subscription not found');
      store.update(() => {
        subscription.status = renews ? 'active' : 'not_renewing';
      });
      return subscription;
    },
  };
}

function endOf(subscription: Subscription): number | undefined {
  return subscription.status === 'cancelled' ? undefined : Date.parse(subscription.expires_at);
}
