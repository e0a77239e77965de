import { existsSync } from 'node:fs';
import path from 'node:path';
import { check } from './story.ts';
import type { Step } from './story.ts';
import type { World } from './world.ts';

interface Machine {
  vendor: string;
  status: string;
  name: string;
  root: string;
}
interface Zone {
  records: { type: string; name: string; content: string }[];
}

/** A records of the box's name at the DNS vendor. */
async function lookUp(world: World): Promise<string[]> {
  const { records } = (await world.sandbox('/state/cloudflare')) as Zone;
  return records.filter(({ type, name }) => type === 'A' && name === world.hostname).map(({ content }) => content);
}

async function operate(world: World, args: readonly string[]): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await world.operator([...args, '--json']);
  check(code === 0, `operator ${args.join(' ')} ended with ${code}: ${stderr}${stdout}`);
  return JSON.parse(stdout) as Record<string, unknown>;
}

/** What an operator sees and does behind the counter. */
export const OPERATE: readonly Step<World>[] = [
  {
    name: 'machines',
    title: 'One machine, one record',
    async run(world) {
      // A machine that a move has left is off, and paid for until its time is over.
      const machines = ((await world.sandbox('/machines')) as Machine[]).filter(({ name }) => name.startsWith('box-'));
      check(machines.length === 1 && machines[0]?.vendor === world.provider, `there are ${machines.length} machines`);
      check(machines[0]?.status === 'running', `the machine is ${machines[0]?.status}`);
      const addresses = await lookUp(world);
      check(addresses.length === 1, `there are ${addresses.length} records`);
      return `${machines[0]?.name} at ${world.provider}`;
    },
  },
  {
    name: 'preview',
    title: 'Operator: preview',
    async run(world) {
      const preview = await operate(world, ['preview', world.login]);
      check(preview['changed'] === false, `a box that was just made would be changed: ${JSON.stringify(preview)}`);
      return 'nothing would change';
    },
  },
  {
    name: 'destroy',
    title: 'Operator: destroy',
    async run(world) {
      await operate(world, ['destroy', world.login, '--yes']);
      const addresses = await lookUp(world);
      check(addresses.length === 0, `the name still points to ${addresses.join(', ')}`);
      const vendor = JSON.stringify(await world.sandbox(`/state/${world.provider}`));
      check(!vendor.includes(world.hostname), `${world.provider} still has something with the box's name`);
      check(
        isEnded(await world.sandbox(`/state/${world.provider}`)),
        `${world.provider} still renews the machine: ${vendor}`,
      );
      const requests = await world.requests(world.provider);
      const wiped = requests.some((request) => isWipe(request.method, request.path) && request.status < 300);
      check(wiped, 'the disk was not wiped');
      const machines = (await world.sandbox('/machines')) as Machine[];
      const kept = machines.filter(({ root }) => existsSync(path.join(root, 'etc', 'conductor')));
      check(kept.length === 0, `${kept[0]?.root} still holds what was the customer's`);
      return 'name gone, disk wiped, renewal ended';
    },
  },
];

/** Contabo's reinstallation is a PUT of the instance, Hostinger's a POST to `recreate`. */
function isWipe(method: string, address: string): boolean {
  return (
    (method === 'PUT' && /\/compute\/instances\/\d+$/.test(address)) ||
    (method === 'POST' && address.endsWith('/recreate'))
  );
}

/** Contabo sets the date of the end; at Hostinger the subscription is not renewed. */
function isEnded(state: unknown): boolean {
  const { instances = [], subscriptions = [] } = state as {
    instances?: { ends_at?: string | null }[];
    subscriptions?: { status: string }[];
  };
  const ended = [
    ...instances.map(({ ends_at }) => Boolean(ends_at)),
    ...subscriptions.map(({ status }) => status === 'not_renewing'),
  ];
  return ended.length === 1 && ended.every(Boolean);
}
