import { isMachineOf, toMachineName } from '../../stacks/machine-name.ts';
import type { BoxOutputs, BoxSpec, Engine, EngineOptions, VendorMachine } from '../engine/engine.ts';

/** What the engine does next. `up` of each stack asks for the next entry; the last one stays. */
export type UpScript = (spec: BoxSpec, options: EngineOptions) => Promise<BoxOutputs>;

export interface ScriptedEngine extends Engine {
  /** Every call, as `up box-…`, `up box-… restart 1`, `up box-… copy`, `suspend box-…`, `converge box-…` or `destroy box-…`. */
  calls: string[];
  /** What the vendor bills for. */
  machines: VendorMachine[];
  script: {
    up: UpScript[];
    destroy?: (stack: string) => Promise<void>;
    suspend?: (spec: BoxSpec) => Promise<void>;
    takeBack?: (spec: BoxSpec) => Promise<void>;
    converge?: (spec: BoxSpec, options: EngineOptions) => Promise<void>;
  };
}

/** An engine that makes boxes out of nothing, so that jobs can be tested without one: it tells steps, and keeps an inventory. */
export function createScriptedEngine(): ScriptedEngine {
  const calls: string[] = [];
  const machines: VendorMachine[] = [];
  const unused = (): never => {
    throw new Error('jobs do not ask for this');
  };
  const engine: ScriptedEngine = {
    calls,
    machines,
    script: { up: [(spec, options) => makeBox(spec, options, machines)] },
    async up(spec, options = {}) {
      const { name, number } = spec.operation ?? {};
      const wish = name === undefined ? spec.move?.stage : `${name} ${number}`;
      calls.push(`up ${spec.stack}${wish === undefined ? '' : ` ${wish}`}`);
      const { script } = engine;
      const next = script.up.length > 1 ? script.up.shift() : script.up[0];
      if (next === undefined) throw new Error('the script is empty');
      return next(spec, options);
    },
    async converge(spec, options = {}) {
      calls.push(`converge ${spec.stack}`);
      await engine.script.converge?.(spec, options);
    },
    async suspend(spec) {
      calls.push(`suspend ${spec.stack}`);
      await engine.script.suspend?.(spec);
      setState(spec, machines, 'stopped');
    },
    async takeBack(spec) {
      calls.push(`takeBack ${spec.stack}`);
      await engine.script.takeBack?.(spec);
      const name = toMachineName(spec.stack, spec.move?.machine ?? 0);
      return release(machines.filter((machine) => machine.name === name));
    },
    async destroy(stack) {
      calls.push(`destroy ${stack}`);
      await engine.script.destroy?.(stack);
      return release(machines.filter((machine) => isMachineOf(stack, machine.name)));
    },
    inventory: async (provider) => machines.filter((machine) => machine.provider === provider),
    preview: unused,
    previewDestroy: unused,
    refresh: unused,
    outputs: unused,
    listStacks: unused,
    close: async () => {},
  };
  return engine;
}

function release(given: VendorMachine[]): VendorMachine[] {
  for (const machine of given)
    Object.assign(machine, { name: `released-${machine.provider_instance_id}`, ends_at: '2030-01-01T00:00:00.000Z' });
  return given.map((machine) => ({ ...machine }));
}

/** Tells every step and puts what the box runs on into the inventory, unless it is there; gives up what it has left. */
export async function makeBox(spec: BoxSpec, options: EngineOptions, machines: VendorMachine[]): Promise<BoxOutputs> {
  const tell = options.onEvent ?? (() => {});
  tell({ step: 'keys', state: 'started', message: 'Making keys.' });
  tell({ step: 'keys', state: 'done', message: 'Keys are made.' });
  tell({ step: 'machine', state: 'started', message: 'Asking for a machine.' });
  const present = have(spec, spec, machines);
  setState(spec, machines, 'running');
  const next = spec.move && have(spec, spec.move, machines);
  const machine = spec.move?.stage === 'switch' && next !== undefined ? next : present;
  release(machines.filter((one) => isMachineOf(spec.stack, one.name) && one !== present && one !== next));
  tell({ step: 'machine', state: 'done', message: 'It runs.' });
  tell({ step: 'address', state: 'done', message: `It is ${spec.hostname}.` });
  tell({ step: 'box', state: 'done', message: 'It answers.' });
  return {
    ip_address: machine.ip_address ?? '',
    provider_instance_id: machine.provider_instance_id,
    region: machine.region,
    hostname: spec.hostname,
    url: spec.url,
    ssh_host_key_fingerprint: 'SHA256:0123456789abcdefghijklmnopqrstuvwxyzABCDEFG',
  };
}

function setState({ stack, machine }: BoxSpec, machines: VendorMachine[], state: string): void {
  const name = toMachineName(stack, machine);
  for (const one of machines.filter((other) => other.name === name)) one.state = state;
}

function have(
  { stack }: BoxSpec,
  { provider, region, product, machine }: Pick<BoxSpec, 'provider' | 'region' | 'product' | 'machine'>,
  machines: VendorMachine[],
): VendorMachine {
  const name = toMachineName(stack, machine);
  const found = machines.find((one) => one.name === name);
  if (found !== undefined) return found;
  const provider_instance_id = String(100_000 + machines.length);
  const ip_address = `127.0.1.${7 + machine}`;
  const made = { provider, provider_instance_id, name, region, product, state: 'running', ip_address, ends_at: null };
  machines.push(made);
  return made;
}
