import { z } from 'zod';
import { inventKey } from '../../keys.ts';
import type { Account } from '../account.ts';
import { API_VERSION } from '../account.ts';
import { refuseMissing, refuseParam } from '../errors.ts';
import { listPage } from '../list.ts';
import { common, mergeMetadata, metadata, paging, text } from '../params.ts';
import { createId } from '../state.ts';
import type { WebhookEndpoint } from '../state.ts';
import { defineRoute, type Route } from './route.ts';

const Create = z.strictObject({
  ...common,
  url: text.min(1),
  enabled_events: z.array(text).min(1),
  description: text.optional(),
  metadata: metadata.optional(),
  api_version: z.string().optional(),
});
const NoParams = z.strictObject(common);

/** /v1/webhook_endpoints: create, list, get, delete. The secret is told once, by the answer to create. */
export function createWebhookEndpointRoutes(account: Account): Route[] {
  return [
    defineRoute('post', '/v1/webhook_endpoints', Create, (params) =>
      account.change(({ state, now }) => {
        if (!URL.canParse(params.url) || !/^https?:/.test(params.url)) {
          throw refuseParam('Invalid URL: An explicit scheme (such as https) must be provided.', 'url', 'url_invalid');
        }
        const endpoint = createWebhookEndpoint({ ...params, metadata: mergeMetadata({}, params.metadata) }, now);
        const secret = inventKey('whsec_', 32);
        state.webhook_endpoints[endpoint.id] = endpoint;
        state.endpoint_secrets[endpoint.id] = secret;
        return { ...endpoint, secret };
      }),
    ),
    defineRoute('get', '/v1/webhook_endpoints', z.strictObject(paging), (params) =>
      listPage(Object.values(account.state.webhook_endpoints), params, '/v1/webhook_endpoints'),
    ),
    defineRoute('get', '/v1/webhook_endpoints/:id', NoParams, (_params, { id = '' }) => {
      const endpoint = account.state.webhook_endpoints[id];
      if (endpoint === undefined) throw refuseMissing('webhook endpoint', id);
      return endpoint;
    }),
    defineRoute('delete', '/v1/webhook_endpoints/:id', NoParams, (_params, { id = '' }) =>
      account.change(({ state }) => {
        if (state.webhook_endpoints[id] === undefined) throw refuseMissing('webhook endpoint', id);
        delete state.webhook_endpoints[id];
        delete state.endpoint_secrets[id];
        return { id, object: 'webhook_endpoint', deleted: true };
      }),
    ),
  ];
}

/** An enabled endpoint, without its secret. `id` is invented when left out. */
export function createWebhookEndpoint(
  fields: {
    id?: string;
    url: string;
    enabled_events: string[];
    description?: string;
    metadata?: Record<string, string>;
    api_version?: string;
  },
  now: number,
): WebhookEndpoint {
  return {
    id: fields.id ?? createId('we'),
    object: 'webhook_endpoint',
    api_version: fields.api_version ?? API_VERSION,
    application: null,
    created: now,
    description: fields.description ?? null,
    enabled_events: fields.enabled_events,
    livemode: false,
    metadata: fields.metadata ?? {},
    status: 'enabled',
    url: fields.url,
  };
}
