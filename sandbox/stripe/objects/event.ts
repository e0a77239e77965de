import { API_VERSION } from '../account.ts';
import { createId } from '../state.ts';
import type { StripeEvent, StripeObject } from '../state.ts';

/** An event holds a copy of its object: what it was then, whatever comes later. */
export function createEvent(fields: {
  type: string;
  object: StripeObject;
  previous?: Record<string, unknown>;
  now: number;
  pendingWebhooks: number;
}): StripeEvent {
  return {
    id: createId('evt'),
    object: 'event',
    api_version: API_VERSION,
    created: fields.now,
    data: {
      object: structuredClone(fields.object),
      ...(fields.previous === undefined ? {} : { previous_attributes: fields.previous }),
    },
    livemode: false,
    pending_webhooks: fields.pendingWebhooks,
    request: { id: null, idempotency_key: null },
    type: fields.type,
  };
}
