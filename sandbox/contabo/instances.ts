import type { Clock } from '../clock.ts';
import type { Delays } from '../delays.ts';
import type { Machines } from '../machines/machines.ts';
import { addMonths, createSchedule, earliest, type Schedule } from '../schedule.ts';
import type { Store } from '../state.ts';
import { ContaboError } from './errors.ts';
import type { Order } from './parse-order.ts';
import { type ContaboState, FAILED_STATUSES, type Instance, type InstanceStatus } from './state.ts';

export interface InstancesDeps {
  store: Store<ContaboState>;
  clock: Clock;
  delays: Delays;
  machines: Machines;
}

/** The instances of the account and what becomes of them by themselves. */
export interface Instances {
  list(): Instance[];
  /** Throws 404. */
  get(id: number): Instance;
  /** Orders a machine: each call orders one more, whatever its name. `becomes` is a status it ends in instead. */
  order(order: Order, becomes?: string): Instance;
  rename(id: number, displayName: string): Instance;
  reinstall(id: number, disk: Pick<Order, 'image_id' | 'default_user' | 'user_data'>): Instance;
  act(id: number, action: InstanceAction): Instance;
  /** Ends the contract with the paid period; the machine runs on until then. Throws 422 the second time. */
  cancel(id: number, notBefore?: Date): Instance;
  schedule: Schedule;
}

export const ACTIONS = ['start', 'stop', 'restart', 'shutdown'] as const;
export type InstanceAction = (typeof ACTIONS)[number];

/** The id of an instance's machine. */
function machineId(instance: Instance): string {
  return `contabo-${instance.id}`;
}

/** The instances of a store; those in motion go on where a former run stopped. */
export function createInstances({ store, clock, delays, machines }: InstancesDeps): Instances {
  const now = (): number => clock.now().getTime();

  /** Enters a status, does what it means for the machine, and plans the next one. */
  const enter = (instance: Instance, status: InstanceStatus, at: number): void => {
    instance.status = status;
    delete instance.next;
    if (status === 'installing') {
      const text = instance.user_data;
      delete instance.user_data;
      machines.reinstall(machineId(instance), text === undefined ? undefined : { kind: 'user-data', text });
      instance.next = { status: 'running', at: at + delays.installing_ms };
    } else if (status === 'running') {
      machines.power(machineId(instance), true);
      instance.address_at ??= at + delays.address_ms;
    } else if (status === 'stopped') machines.power(machineId(instance), false);
    else if (status === 'error') instance.error_message = 'The installation failed';
  };

  const settle = (time: number): void =>
    store.update((data) => {
      for (const instance of data.instances) {
        if (isDue(instance.next?.at, time) && instance.next) enter(instance, instance.next.status, instance.next.at);
      }
      const ended = data.instances.filter((instance) => isDue(endOf(instance), time));
      data.instances = data.instances.filter((instance) => !ended.includes(instance));
      for (const instance of ended) machines.destroy(machineId(instance));
    });

  const schedule = createSchedule({
    clock,
    settle,
    nextDue: () => earliest(store.data.instances.flatMap((instance) => [instance.next?.at, endOf(instance)])),
  });

  const get = (id: number): Instance => {
    const instance = store.data.instances.find((one) => one.id === id);
    if (!instance) throw new ContaboError(404, `Instance with id ${id} not found`);
    return instance;
  };
  /** Changes an instance that exists, then lets time go on. */
  const change = (id: number, mutate: (instance: Instance) => void): Instance => {
    const instance = get(id);
    store.update(() => mutate(instance));
    schedule.wake();
    return instance;
  };

  return {
    schedule,
    get,
    list: () => store.data.instances,
    order(order, becomes) {
      const status = FAILED_STATUSES.find((one) => one === becomes) ?? 'installing';
      const instance = store.update((data): Instance => {
        data.last_instance += 1;
        const id = data.last_instance;
        const { ipv4 } = machines.create(`contabo-${id}`, 'contabo', order.display_name);
        const next = { status, at: now() + delays.provisioning_ms };
        const created_at = clock.now().toISOString();
        const made: Instance = { id, ...order, status: 'provisioning', created_at, ipv4, next };
        data.instances.push(made);
        return made;
      });
      // Not woken here: the answer to an order says `provisioning`, however short the delays are.
      setImmediate(schedule.wake);
      return instance;
    },
    rename: (id, name) =>
      change(id, (instance) => {
        instance.display_name = name;
        machines.rename(machineId(instance), name);
      }),
    reinstall: (id, disk) =>
      change(id, (instance) => {
        if (instance.status === 'provisioning') throw new ContaboError(409, 'The instance is still being provisioned');
        delete instance.user_data;
        Object.assign(instance, disk);
        enter(instance, 'installing', now());
      }),
    act: (id, action) =>
      change(id, (instance) => {
        if (instance.next) throw new ContaboError(409, `The instance is ${instance.status}`);
        const status = action === 'stop' || action === 'shutdown' ? 'stopped' : 'running';
        if (action === 'restart' && instance.status === 'running') machines.power(machineId(instance), false);
        else if (instance.status === status) return;
        instance.next = { status, at: now() + delays.action_ms };
      }),
    cancel: (id, notBefore) =>
      change(id, (instance) => {
        if (instance.ends_at !== undefined) throw new ContaboError(422, 'The instance is already cancelled');
        instance.ends_at = endOfPeriod(instance, notBefore ?? clock.now(), now()).toISOString();
      }),
  };
}

function isDue(at: number | undefined, now: number): boolean {
  return at !== undefined && at <= now;
}

function endOf(instance: Instance): number | undefined {
  return instance.ends_at === undefined ? undefined : Date.parse(instance.ends_at);
}

/** The first end of a paid period that is neither past nor before `notBefore`. */
function endOfPeriod(instance: Instance, notBefore: Date, now: number): Date {
  const created = new Date(instance.created_at);
  let months = instance.period_months;
  while (addMonths(created, months).getTime() <= Math.max(now, notBefore.getTime())) months += instance.period_months;
  return addMonths(created, months);
}
