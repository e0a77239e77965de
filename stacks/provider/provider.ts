import type { Provider } from '@pulumi/pulumi/provider/index.js';
import type { ProviderName } from '../../contract/vps.ts';
import type { Vendor, VendorInstance } from '../vendors/vendor.ts';
import { changeInstance, stopInstance } from './change-instance.ts';
import { awaitRunning, createInstance, type InstanceContext, releaseInstance, UnfinishedInstance } from './instance.ts';
import { checkInstance, diffInstance, findAct, keepInputs, parseOrder, readOperations } from './instance-inputs.ts';
import type { Report } from './report.ts';
import { createSshKey } from './ssh-key.ts';
import { type Properties, unwrapBag } from './values.ts';

const INSTANCE_TYPE = 'spoq:index:Instance';

export interface ProviderOptions {
  vendors: Partial<Record<ProviderName, Vendor>>;
  pollMs: number;
  deadlineMs: number;
  report: Report;
  version: string;
}

/** Spoq's resources: instances of two vendors and SSH keys. Serves one engine at a time; `cancel` ends what it waits for. */
export function createProvider(options: ProviderOptions): Provider {
  // An engine cancels when it is interrupted, and once more whenever it ends. What runs now hears it; the next engine's work does not.
  let abort = new AbortController();

  const createContext = (urn: string, provider: unknown): InstanceContext => {
    const vendor = options.vendors[provider as ProviderName];
    if (vendor === undefined) throw new Error(`There are no credentials for ${String(provider)} in this environment.`);
    return { ...options, vendor, signal: abort.signal, report: (message) => options.report(urn, message) };
  };

  return {
    version: options.version,
    check: async (urn, _olds, news) => {
      if (isInstance(urn)) return { inputs: news, failures: checkInstance(news) };
      const comment = unwrapBag(news)['comment'];
      return {
        inputs: news,
        failures: typeof comment === 'string' ? [] : [{ property: 'comment', reason: 'is not a string' }],
      };
    },
    // A key is never made anew by itself: its comment is a label.
    diff: async (_id, urn, olds, news) => (isInstance(urn) ? diffInstance(olds, news) : { changes: false }),
    create: async (urn, inputs) => {
      if (!isInstance(urn)) return createSshKey(String(unwrapBag(inputs)['comment']));
      const order = parseOrder(inputs);
      const kept = { ...keepInputs(inputs), ...readOperations({}, inputs) };
      return recordUnfinished(kept, async () => {
        const instance = await createInstance(createContext(urn, order.provider), order);
        return { id: instance.id, outs: describe(instance, kept) };
      });
    },
    read: async (id, urn, props) => {
      const known = unwrapBag(props);
      if (!isInstance(urn) || known['provider'] === undefined) return { id, props };
      const instance = await createContext(urn, known['provider']).vendor.get(id, { signal: abort.signal });
      return instance === undefined
        ? { id: '', props: {} }
        : { id, props: describe(instance, keepInputs(props), known) };
    },
    update: async (id, urn, olds, news) => {
      if (!isInstance(urn)) return { outs: olds };
      const order = parseOrder(news);
      const context = createContext(urn, order.provider);
      const before = unwrapBag(olds);
      const kept = { ...keepInputs(news), ...readOperations(olds, news) };
      return recordUnfinished({ ...kept, ipAddress: before['ipAddress'] }, async () => {
        if (before['name'] !== order.name || before['domain'] !== order.domain)
          await context.vendor.rename(id, order.name, order.domain, { signal: abort.signal });
        const act = findAct(olds, news);
        const instance =
          act === undefined
            ? await awaitRunning(context, id, order, Date.now() + options.deadlineMs)
            : act.name === 'stop'
              ? await stopInstance(context, id)
              : await changeInstance(context, id, order, act);
        return { outs: describe(instance, kept, before) };
      });
    },
    delete: async (id, urn, props) => {
      if (!isInstance(urn)) return;
      const { provider, domain } = unwrapBag(props);
      await releaseInstance(createContext(urn, provider), { id, domain: String(domain) });
    },
    cancel: async () => {
      const cancelled = abort;
      abort = new AbortController();
      cancelled.abort(new Error('The work was interrupted and can be taken up again.'));
    },
  };
}

function isInstance(urn: string): boolean {
  // urn:pulumi:<stack>::<project>::<parent types>$<type>::<name>
  return urn.split('::')[2]?.split('$').at(-1) === INSTANCE_TYPE;
}

/** One that is switched off tells no address; it keeps the one that it had. */
function describe(instance: VendorInstance, kept: Properties, before: Properties = {}): Properties {
  const ipAddress = instance.ipAddress ?? (instance.state === 'stopped' ? before['ipAddress'] : undefined) ?? '';
  return { ...kept, providerInstanceId: instance.id, ipAddress };
}

/** A machine that exists but does not run goes into the state with its fault (the engine's "initialization failed"). */
async function recordUnfinished<T>(kept: Properties, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof UnfinishedInstance)) throw error;
    const properties = { ipAddress: '', ...kept, providerInstanceId: error.id };
    throw Object.assign(new Error(error.message, { cause: error }), {
      id: error.id,
      properties,
      reasons: [error.message],
    });
  }
}
