import type { Account } from '../account.ts';
import { createWebhookEndpoint } from '../routes/webhook-endpoints.ts';

/** The endpoint that the sandbox itself registers: the control plane started beside it. */
const OWN_ENDPOINT = 'we_sandbox';

/** Sends every event to `url`, signed with the sandbox's own webhook secret. Pending deliveries follow to a new address. */
export function listenAt(account: Account, webhook: { url: string; secret?: string }): void {
  account.change(({ state, now }) => {
    state.webhook_secret = webhook.secret ?? state.webhook_secret;
    state.webhook_endpoints[OWN_ENDPOINT] = createWebhookEndpoint(
      { id: OWN_ENDPOINT, url: webhook.url, enabled_events: ['*'], description: "Spoq's sandbox" },
      now,
    );
    state.endpoint_secrets[OWN_ENDPOINT] = state.webhook_secret;
    for (const delivery of Object.values(state.deliveries)) {
      if (delivery.endpoint === OWN_ENDPOINT && delivery.state === 'pending') delivery.url = webhook.url;
    }
  });
}
