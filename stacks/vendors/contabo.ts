import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { createVendorHttp, parseAnswer, type VendorCall, VendorError } from './http.ts';
import type { CallOptions, Phase, Vendor, VendorInstance } from './vendor.ts';

export interface ContaboOptions {
  apiUrl: string;
  authUrl: string;
  clientId: string;
  clientSecret: string;
  user: string;
  password: string;
  backoffMs: number;
}

/** Contabo's standard image "Ubuntu 24.04". */
const UBUNTU_24_04 = 'd64d5c6c-9dda-4e38-8174-0ee282474d8a';
/** The least that can be bought. */
const PERIOD_MONTHS = 1;
/** Instances a page of the list. */
const PAGE_SIZE = 100;

const Token = z.object({ access_token: z.string().min(1), expires_in: z.number().positive() });
const Created = z.object({ data: z.array(z.object({ instanceId: z.number() })).length(1) });
// cancelDate, errorMessage and the address of an instance that isn't ready are null, empty or absent; all mean "none".
const ContaboInstance = z.object({
  instanceId: z.number(),
  displayName: z.string().nullish(),
  status: z.string(),
  errorMessage: z.string().nullish(),
  cancelDate: z.string().nullish(),
  region: z.string().nullish(),
  productId: z.string().nullish(),
  ipConfig: z.object({ v4: z.object({ ip: z.string().nullish() }).nullish() }).nullish(),
});
const Page = z.object({
  data: z.array(ContaboInstance),
  _pagination: z.object({ totalPages: z.number() }).partial().optional(),
});

const BROKEN = new Set(['error', 'product_not_available']);
const BEFORE_FIRST_RUN = new Set([
  'provisioning',
  'manual_provisioning',
  'installing',
  'uninstalled',
  'product_not_available',
  'verification_required',
  'pending_payment',
  'error',
]);

/** Contabo's compute API (https://api.contabo.com). The token is kept until half a minute before it ends. */
export function createContabo(options: ContaboOptions): Vendor {
  const http = createVendorHttp({ vendor: 'Contabo', explain, backoffMs: options.backoffMs });
  let token: { value: string; until: number } | undefined;

  async function getToken(signal?: AbortSignal): Promise<string> {
    if (token !== undefined && token.until > Date.now()) return token.value;
    const form = {
      grant_type: 'password',
      client_id: options.clientId,
      client_secret: options.clientSecret,
      username: options.user,
      password: options.password,
    };
    const { body } = await http({ method: 'POST', url: options.authUrl, form, signal });
    const parsed = parseAnswer('Contabo', Token, body);
    token = { value: parsed.access_token, until: Date.now() + (parsed.expires_in - 30) * 1000 };
    return token.value;
  }

  async function call(
    method: VendorCall['method'],
    path: string,
    extra: Pick<VendorCall, 'json' | 'tries' | 'signal'> = {},
  ): Promise<unknown> {
    const send = async () => {
      // Required on every call; it names one request for support and is not an idempotency key.
      const headers = { authorization: `Bearer ${await getToken(extra.signal)}`, 'x-request-id': randomUUID() };
      return (await http({ method, url: `${options.apiUrl}/v1/compute/${path}`, headers, ...extra })).body;
    };
    try {
      return await send();
    } catch (error) {
      if (!(error instanceof VendorError) || error.status !== 401) throw error;
      token = undefined;
      return send();
    }
  }

  async function list(query: Record<string, string>, { signal }: CallOptions = {}): Promise<VendorInstance[]> {
    const found: VendorInstance[] = [];
    for (let page = 1; ; page += 1) {
      const search = new URLSearchParams({ ...query, page: String(page), size: String(PAGE_SIZE) });
      const answer = parseAnswer('Contabo', Page, await call('GET', `instances?${search}`, { signal }));
      found.push(...answer.data.map(toInstance));
      if (answer.data.length === 0 || page >= (answer._pagination?.totalPages ?? 1)) return found;
    }
  }

  return {
    provider: 'contabo',
    label: 'Contabo',
    // Unknown filters are silently ignored there, so what comes back is compared once more.
    find: async (name, o) =>
      (await list({ displayName: name }, o)).filter((one) => one.name === name && one.endsAt === null),
    list: (o) => list({}, o),
    get: async (id, o) =>
      await orGone(async () => {
        const [instance] = parseAnswer('Contabo', Page, await call('GET', `instances/${id}`, o)).data;
        return instance && toInstance(instance);
      }),
    buy: async (order, o) => {
      // defaultUser is always sent: left out, machines came with an account nobody asked for.
      const json = {
        imageId: order.image ?? UBUNTU_24_04,
        productId: order.product,
        region: order.region,
        period: PERIOD_MONTHS,
        displayName: order.name,
        defaultUser: 'admin',
        userData: order.userData,
      };
      return String(
        parseAnswer('Contabo', Created, await call('POST', 'instances', { json, tries: 1, ...o })).data[0]?.instanceId,
      );
    },
    finish: async () => false,
    tidy: async () => {},
    rename: async (id, name, _domain, o) => {
      await call('PATCH', `instances/${id}`, { json: { displayName: name }, ...o });
    },
    restart: async (id, o) => {
      await call('POST', `instances/${id}/actions/restart`, o);
    },
    stop: async (id, o) => {
      await call('POST', `instances/${id}/actions/stop`, o);
    },
    reinstall: async (id, { image, userData }, o) => {
      const json = { imageId: image ?? UBUNTU_24_04, defaultUser: 'admin', userData };
      await call('PUT', `instances/${id}`, { json, ...o });
    },
    wipe: async (id, o) => {
      await call('PUT', `instances/${id}`, { json: { imageId: UBUNTU_24_04, defaultUser: 'admin' }, ...o });
    },
    endRenewal: async (id, o) => {
      try {
        await call('POST', `instances/${id}/cancel`, { json: {}, ...o });
      } catch (error) {
        // 422: it has been cancelled already.
        if (!(error instanceof VendorError) || error.status !== 422) throw error;
      }
    },
  };
}

function toInstance(one: z.infer<typeof ContaboInstance>): VendorInstance {
  const ip = one.ipConfig?.v4?.ip || null;
  const phase: Phase = BROKEN.has(one.status)
    ? 'broken'
    : one.status === 'running' && ip !== null
      ? 'ready'
      : 'working';
  return {
    id: String(one.instanceId),
    name: one.displayName ?? '',
    phase,
    state: one.status,
    ...(one.errorMessage ? { reason: one.errorMessage } : {}),
    // Which states carry the final address is not documented, so only a running instance's is believed.
    ipAddress: one.status === 'running' ? ip : null,
    mayHoldData: !BEFORE_FIRST_RUN.has(one.status),
    region: one.region ?? '',
    product: one.productId ?? '',
    endsAt: one.cancelDate || null,
  };
}

async function orGone<T>(read: () => Promise<T | undefined>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof VendorError && error.status === 404) return undefined;
    throw error;
  }
}

/** `message` is a sentence, or an array of them when validation failed. */
function explain(body: unknown): string | undefined {
  const parsed = z.object({ message: z.union([z.string(), z.array(z.string())]) }).safeParse(body);
  return parsed.success ? [parsed.data.message].flat().join('; ') : undefined;
}
