import { createId } from '../state.ts';
import type { PortalSession } from '../state.ts';

/** The configuration that the sandbox's portal has: everything the page can do is allowed. */
const CONFIGURATION = 'bpc_sandboxdefault';

export interface PortalFlow {
  type: 'payment_method_update' | 'subscription_cancel';
  subscription_cancel?: { subscription: string };
  after_completion?: { type: 'portal_homepage' | 'redirect'; redirect?: { return_url: string } };
}

/** `portalPage` is the address of its page. */
export function createPortalSession(
  fields: { customer: string; return_url?: string; flow_data?: PortalFlow; locale?: string },
  now: number,
  portalPage: (id: string) => string,
): PortalSession {
  const id = createId('bps');
  const { flow_data: flow } = fields;
  return {
    id,
    object: 'billing_portal.session',
    configuration: CONFIGURATION,
    created: now,
    customer: fields.customer,
    customer_account: null,
    flow:
      flow === undefined
        ? null
        : {
            after_completion: {
              hosted_confirmation: null,
              redirect: flow.after_completion?.redirect ?? null,
              type: flow.after_completion?.type ?? 'portal_homepage',
            },
            customer_update: null,
            subscription_cancel:
              flow.subscription_cancel === undefined ? null : { retention: null, ...flow.subscription_cancel },
            subscription_pause: null,
            subscription_update: null,
            subscription_update_confirm: null,
            type: flow.type,
          },
    livemode: false,
    locale: fields.locale ?? null,
    on_behalf_of: null,
    return_url: fields.return_url ?? null,
    url: portalPage(id),
  };
}
