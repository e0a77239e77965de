import { z } from 'zod';
import { createVendorHttp, parseAnswer, type VendorCall, VendorError } from './http.ts';
import type { CallOptions, InstanceOrder, Phase, Vendor, VendorInstance } from './vendor.ts';

export interface HostingerOptions {
  apiUrl: string;
  apiKey: string;
  paymentMethodId?: number;
  backoffMs: number;
}

const DEFAULT_TEMPLATE = 'Ubuntu 24.04 LTS';

const Machine = z.object({
  id: z.number(),
  subscription_id: z.string().nullish(),
  data_center_id: z.number().nullish(),
  plan: z.string().nullish(),
  hostname: z.string().nullish(),
  state: z.string(),
  actions_lock: z.string().nullish(),
  ipv4: z.array(z.object({ address: z.string() })).nullish(),
});
type Machine = z.infer<typeof Machine>;
const Subscription = z.object({
  id: z.string(),
  status: z.string(),
  expires_at: z.string().nullish(),
  is_auto_renewed: z.boolean().nullish(),
});
type Subscription = z.infer<typeof Subscription>;
const Named = z.object({ id: z.number(), name: z.string().nullish() });
const ScriptPage = z.object({
  data: z.array(Named),
  meta: z.object({ current_page: z.number(), per_page: z.number(), total: z.number() }),
});
// 202 answers an order that waits for its payment: `status: payment_initiated` and no machine.
const Purchase = z.object({ virtual_machine: z.object({ id: z.number() }).nullish() });

const BROKEN = new Set(['error', 'suspended', 'suspending']);
const BEFORE_FIRST_RUN = new Set(['initial', 'creating', 'recreating', 'error']);
const GONE = new Set(['destroying', 'destroyed']);

const read = <T>(schema: z.ZodType<T>, body: unknown) => parseAnswer('Hostinger', schema, body);

/** Hostinger's VPS API (https://developers.hostinger.com). A machine's only name is its host name, `<stack>.<domain>`. */
export function createHostinger(options: HostingerOptions): Vendor {
  const http = createVendorHttp({ vendor: 'Hostinger', explain, backoffMs: options.backoffMs });
  const call = async (
    method: VendorCall['method'],
    path: string,
    extra: Pick<VendorCall, 'json' | 'tries' | 'signal'> = {},
  ) =>
    (
      await http({
        method,
        url: `${options.apiUrl}${path}`,
        headers: { authorization: `Bearer ${options.apiKey}`, 'content-type': 'application/json' },
        ...extra,
      })
    ).body;
  const machinePath = (id: string) => `/api/vps/v1/virtual-machines/${id}`;

  const listSubscriptions = async (o?: CallOptions) =>
    read(z.array(Subscription), await call('GET', '/api/billing/v1/subscriptions', o));

  async function list(o: CallOptions = {}): Promise<VendorInstance[]> {
    const machines = read(z.array(Machine), await call('GET', '/api/vps/v1/virtual-machines', o));
    if (machines.length === 0) return [];
    const subscriptions = await listSubscriptions(o);
    return machines
      .filter((one) => !GONE.has(one.state))
      .map((one) =>
        toInstance(
          one,
          subscriptions.find((s) => s.id === one.subscription_id),
        ),
      );
  }

  async function readMachine(id: string, o?: CallOptions): Promise<Machine | undefined> {
    try {
      const machine = read(Machine, await call('GET', machinePath(id), o));
      return GONE.has(machine.state) ? undefined : machine;
    } catch (error) {
      if (error instanceof VendorError && error.status === 404) return undefined;
      throw error;
    }
  }

  async function findScript(name: string, o?: CallOptions): Promise<number | undefined> {
    for (let page = 1; ; page += 1) {
      const { data, meta } = read(ScriptPage, await call('GET', `/api/vps/v1/post-install-scripts?page=${page}`, o));
      const script = data.find((one) => one.name === name);
      if (script !== undefined) return script.id;
      if (data.length === 0 || page * meta.per_page >= meta.total) return undefined;
    }
  }

  async function saveScript({ name, userData }: InstanceOrder, o?: CallOptions): Promise<number> {
    const json = { name, content: userData };
    const id = await findScript(name, o);
    if (id === undefined) return read(Named, await call('POST', '/api/vps/v1/post-install-scripts', { json, ...o })).id;
    await call('PUT', `/api/vps/v1/post-install-scripts/${id}`, { json, ...o });
    return id;
  }

  /** Ids of templates and data centers change from year to year: they are looked up by name; a number is taken as it is. */
  async function lookUp(path: string, wanted: string, o?: CallOptions): Promise<number> {
    if (/^\d+$/.test(wanted)) return Number(wanted);
    const one = read(z.array(Named), await call('GET', path, o)).find(({ name }) => name === wanted);
    if (one === undefined)
      throw new VendorError('Hostinger', 'refused', `Hostinger has no "${wanted}" in ${path.split('/').at(-1)}`);
    return one.id;
  }

  const findTemplate = (name: string, o?: CallOptions) => lookUp('/api/vps/v1/templates', name, o);

  async function describeSetup(order: InstanceOrder, o?: CallOptions): Promise<Record<string, unknown>> {
    return {
      template_id: await findTemplate(order.image ?? DEFAULT_TEMPLATE, o),
      data_center_id: await lookUp('/api/vps/v1/data-centers', order.region, o),
      post_install_script_id: await saveScript(order, o),
      hostname: `${order.name}.${order.domain}`,
      enable_backups: false,
    };
  }

  return {
    provider: 'hostinger',
    label: 'Hostinger',
    find: async (name, o) => (await list(o)).filter((one) => one.name === name && one.endsAt === null),
    list,
    get: async (id, o) => {
      const machine = await readMachine(id, o);
      if (machine === undefined) return undefined;
      return toInstance(
        machine,
        (await listSubscriptions(o)).find((one) => one.id === machine.subscription_id),
      );
    },
    buy: async (order, o) => {
      const setup = await describeSetup(order, o);
      const payment = options.paymentMethodId === undefined ? {} : { payment_method_id: options.paymentMethodId };
      const body = await call('POST', '/api/vps/v1/virtual-machines', {
        json: { item_id: order.product, ...payment, setup },
        tries: 1,
        ...o,
      });
      const { virtual_machine: machine } = read(Purchase, body);
      return machine ? String(machine.id) : undefined;
    },
    finish: async (id, order, o) => {
      const machine = await readMachine(id, o);
      if (machine?.state !== 'initial' || machine.actions_lock === 'locked') return false;
      await call('POST', `${machinePath(id)}/setup`, { json: await describeSetup(order, o), ...o });
      return true;
    },
    tidy: async (name, o) => {
      const id = await findScript(name, o);
      if (id !== undefined) await call('DELETE', `/api/vps/v1/post-install-scripts/${id}`, o);
    },
    rename: async (id, name, domain, o) => {
      await call('PUT', `${machinePath(id)}/hostname`, { json: { hostname: `${name}.${domain}` }, ...o });
    },
    restart: async (id, o) => {
      await call('POST', `${machinePath(id)}/restart`, o);
    },
    stop: async (id, o) => {
      await call('POST', `${machinePath(id)}/stop`, o);
    },
    // Without a password the vendor invents one that nobody learns.
    reinstall: async (id, order, o) => {
      const template_id = await findTemplate(order.image ?? DEFAULT_TEMPLATE, o);
      const json = { template_id, post_install_script_id: await saveScript(order, o) };
      await call('POST', `${machinePath(id)}/recreate`, { json, ...o });
    },
    wipe: async (id, o) => {
      await call('POST', `${machinePath(id)}/recreate`, {
        json: { template_id: await findTemplate(DEFAULT_TEMPLATE, o) },
        ...o,
      });
    },
    // There is no way to end a subscription at once, only its renewal.
    endRenewal: async (id, o) => {
      const machine = await readMachine(id, o);
      if (!machine?.subscription_id) return;
      const subscription = (await listSubscriptions(o)).find((one) => one.id === machine.subscription_id);
      if (subscription !== undefined && isEnding(subscription)) return;
      await call('DELETE', `/api/billing/v1/subscriptions/${machine.subscription_id}/auto-renewal/disable`, o);
    },
  };
}

function toInstance(machine: Machine, subscription: Subscription | undefined): VendorInstance {
  const ip = machine.ipv4?.[0]?.address ?? null;
  const phase: Phase = BROKEN.has(machine.state)
    ? 'broken'
    : machine.state === 'running' && ip !== null
      ? 'ready'
      : 'working';
  return {
    id: String(machine.id),
    name: (machine.hostname ?? '').split('.')[0] ?? '',
    phase,
    state: machine.state,
    ipAddress: machine.state === 'running' ? ip : null,
    mayHoldData: !BEFORE_FIRST_RUN.has(machine.state),
    region: String(machine.data_center_id ?? ''),
    product: machine.plan ?? '',
    endsAt: subscription !== undefined && isEnding(subscription) ? (subscription.expires_at ?? null) : null,
  };
}

function isEnding(subscription: Subscription): boolean {
  return subscription.is_auto_renewed === false || ['not_renewing', 'cancelled'].includes(subscription.status);
}

/** `message` (schema) or `error` (documentation's text), and the fields that validation refused. */
function explain(body: unknown): string | undefined {
  const parsed = z
    .object({
      message: z.string().optional(),
      error: z.string().optional(),
      errors: z.record(z.string(), z.array(z.string())).optional(),
    })
    .safeParse(body);
  if (!parsed.success) return undefined;
  const { message, error, errors = {} } = parsed.data;
  const fields = Object.entries(errors).map(([field, faults]) => `${field}: ${faults.join(', ')}`);
  return [message ?? error, ...fields].filter((part) => part !== undefined).join('; ') || undefined;
}
