import type { BoxOutputs, BoxSpec, Engine, EngineOptions, VendorMachine } from '../engine/engine.ts';

/** What the engine does next. `up` of each stack asks for the next entry; the last one stays. */
export type UpScript = (spec: BoxSpec, options: EngineOptions) => Promise<BoxOutputs>;

export interface ScriptedEngine extends Engine {
  /** Every call, as `up box-…`, `up box-… restart 1`, `converge box-…` or `destroy box-…`. */
  calls: string[];
  /** What the vendor bills for. */
  machines: VendorMachine[];
  script: {
    up: UpScript[];
    destroy?: (stack: string) => Promise<void>;
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
      calls.push(`up ${spec.stack}${name === undefined ? '' : ` ${name} ${number}`}`);
      const { script } = engine;
      const next = script.up.length > 1 ? script.up.shift() : script.up[0];
      if (next === undefined) throw new Error('the script is empty');
      return next(spec, options);
    },
    async converge(spec, options = {}) {
      calls.push(`converge ${spec.stack}`);
      await engine.script.converge?.(spec, options);
    },
    async destroy(stack) {
      calls.push(`destroy ${stack}`);
      await engine.script.destroy?.(stack);
      const own = machines.filter((machine) => machine.name === stack);
      for (const machine of own)
        Object.assign(machine, {
          name: `released-${machine.provider_instance_id}`,
          ends_at: '2030-01-01T00:00:00.000Z',
        });
      return own.map((machine) => ({ ...machine }));
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

/** Tells every step and puts one machine into the inventory, unless it is there. */
export async function makeBox(spec: BoxSpec, options: EngineOptions, machines: VendorMachine[]): Promise<BoxOutputs> {
  const tell = options.onEvent ?? (() => {});
  tell({ step: 'keys', state: 'started', message: 'Making keys.' });
  tell({ step: 'keys', state: 'done', message: 'Keys are made.' });
  tell({ step: 'machine', state: 'started', message: 'Asking for a machine.' });
  const id = String(100_000 + machines.length);
  const machine = machines.find((one) => one.name === spec.stack) ?? {
    provider: spec.provider,
    provider_instance_id: id,
    name: spec.stack,
    region: spec.region,
    product: spec.product,
    state: 'running',
    ip_address: '127.0.1.7',
    ends_at: null,
  };
  if (!machines.includes(machine)) machines.push(machine);
  tell({ step: 'machine', state: 'done', message: 'It runs.' });
  tell({ step: 'address', state: 'done', message: `It is ${spec.hostname}.` });
  tell({ step: 'box', state: 'done', message: 'It answers.' });
  return {
    ip_address: '127.0.1.7',
    provider_instance_id: machine.provider_instance_id,
    region: spec.region,
    hostname: spec.hostname,
    url: spec.url,
    ssh_host_key_fingerprint: 'SHA256:0123456789abcdefghijklmnopqrstuvwxyzABCDEFG',
  };
}
