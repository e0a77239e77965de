import { setTimeout as sleep } from 'node:timers/promises';
import type { Provider } from '@pulumi/pulumi/provider/index.js';
import { z } from 'zod';
import { listChanges, type Properties, typeOf, unwrapBag } from '../values.ts';

export interface CloudflareOptions {
  /** Ends in /client/v4. */
  baseUrl: string;
  token: string;
}

const DNS_RECORD = 'cloudflare:index/dnsRecord:DnsRecord';
const REQUIRED = ['zoneId', 'name', 'type', 'ttl'] as const;
const UPDATED = ['name', 'type', 'ttl', 'content', 'proxied', 'comment'] as const;
/** As the official provider: two more tries for 429 and 5xx. */
const TRIES = 3;

const Record_ = z.looseObject({
  id: z.string(),
  created_on: z.string().nullish(),
  modified_on: z.string().nullish(),
  proxiable: z.boolean().nullish(),
});
const Envelope = z.looseObject({
  result: z.unknown(),
  errors: z.array(z.looseObject({ code: z.number(), message: z.string() })).nullish(),
});

class CloudflareError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** `cloudflare.DnsRecord`, on the wire of Cloudflare's API. Like the official provider it adopts nothing: a record that exists is a fault. */
export function createCloudflarePlugin({ baseUrl, token }: CloudflareOptions): Provider {
  async function call(method: string, path: string, json?: unknown): Promise<unknown> {
    for (let attempt = 1; ; attempt += 1) {
      const response = await fetch(`${baseUrl}${path}`, {
        method,
        headers: {
          authorization: `Bearer ${token}`,
          ...(json === undefined ? {} : { 'content-type': 'application/json' }),
        },
        body: json === undefined ? undefined : JSON.stringify(json),
      }).catch((cause: unknown) => new CloudflareError(503, `Cloudflare could not be reached (${String(cause)})`));
      if (
        response instanceof CloudflareError
          ? attempt < TRIES
          : (response.status === 429 || response.status >= 500) && attempt < TRIES
      ) {
        await sleep(100 * 2 ** attempt);
        continue;
      }
      if (response instanceof CloudflareError) throw response;
      const envelope = Envelope.safeParse(await response.json().catch(() => undefined)).data;
      if (response.ok && envelope !== undefined) return envelope.result;
      const reasons = envelope?.errors?.map(({ code, message }) => `${message} (${code})`).join('; ');
      throw new CloudflareError(
        response.status,
        `Cloudflare answered ${response.status}${reasons ? `: ${reasons}` : ''}`,
      );
    }
  }

  const pathOf = (zoneId: unknown, id = ''): string => `/zones/${String(zoneId)}/dns_records${id && `/${id}`}`;
  const describe = (result: unknown, inputs: Properties): { id: string; outs: Properties } => {
    const { id, created_on, modified_on, proxiable } = Record_.parse(result);
    return {
      id,
      outs: { ...inputs, createdOn: created_on ?? '', modifiedOn: modified_on ?? '', proxiable: proxiable ?? false },
    };
  };

  return {
    version: '6.22.1',
    check: async (urn, _olds, news) => {
      if (typeOf(urn) !== DNS_RECORD)
        return { inputs: news, failures: [{ property: '', reason: `the stand-in knows only ${DNS_RECORD}` }] };
      const failures = REQUIRED.filter((name) => !(name in news)).map((property) => ({
        property,
        reason: 'is missing',
      }));
      return { inputs: news, failures };
    },
    diff: async (_id, _urn, olds, news) => {
      // The program wants a record with other content to be another record (replaceOnChanges), which the engine reads off a provider's
      // detailed diff. The SDK's server can't give one, so this says it by itself,
      // in a move too, where the real provider changes the record in place.
      const replaces = listChanges(olds, news, ['zoneId', 'content']);
      return { changes: replaces.length > 0 || listChanges(olds, news, UPDATED).length > 0, replaces };
    },
    create: async (_urn, inputs) => {
      const wanted = unwrapBag(inputs);
      return describe(await call('POST', pathOf(wanted['zoneId']), pick(wanted)), wanted);
    },
    read: async (id, _urn, props) => {
      const known = unwrapBag(props);
      try {
        const result = z.looseObject({}).parse(await call('GET', pathOf(known['zoneId'], id)));
        const seen = Object.fromEntries(UPDATED.filter((name) => name in known).map((name) => [name, result[name]]));
        return { id, props: { ...known, ...seen } };
      } catch (error) {
        if (error instanceof CloudflareError && error.status === 404) return { id: '', props: {} };
        throw error;
      }
    },
    update: async (id, _urn, _olds, news) => {
      const wanted = unwrapBag(news);
      return { outs: describe(await call('PUT', pathOf(wanted['zoneId'], id), pick(wanted)), wanted).outs };
    },
    delete: async (id, _urn, props) => {
      try {
        await call('DELETE', pathOf(unwrapBag(props)['zoneId'], id));
      } catch (error) {
        if (!(error instanceof CloudflareError) || error.status !== 404) throw error;
      }
    },
  };
}

function pick(inputs: Properties): Properties {
  return Object.fromEntries(UPDATED.filter((name) => inputs[name] !== undefined).map((name) => [name, inputs[name]]));
}
