import { z } from 'zod';
import type { Account } from '../account.ts';
import { refuseMissing, refuseParam } from '../errors.ts';
import { createPortalSession } from '../objects/portal-session.ts';
import { common, text } from '../params.ts';
import { defineRoute, type Route } from './route.ts';

const Create = z.strictObject({
  ...common,
  customer: text.min(1),
  return_url: z.url({ protocol: /^https?$/, error: 'not a valid URL' }).optional(),
  locale: text.optional(),
  flow_data: z
    .strictObject({
      type: z.enum(
        ['payment_method_update', 'subscription_cancel'],
        "the sandbox's portal has the flows payment_method_update and subscription_cancel",
      ),
      subscription_cancel: z.strictObject({ subscription: text.min(1) }).optional(),
      after_completion: z
        .strictObject({
          type: z.enum(['portal_homepage', 'redirect']),
          redirect: z.strictObject({ return_url: z.url({ protocol: /^https?$/ }) }).optional(),
        })
        .optional(),
    })
    .optional(),
});

/** POST /v1/billing_portal/sessions: a page where a customer sees to subscription, card and invoices. */
export function createPortalSessionRoutes(account: Account): Route[] {
  return [
    defineRoute('post', '/v1/billing_portal/sessions', Create, (params) =>
      account.change((outer) => {
        const { state, now, emit } = outer.of(params.customer);
        if (state.customers[params.customer] === undefined)
          throw refuseMissing('customer', params.customer, 'customer');
        checkFlow(params.flow_data, (id) => state.subscriptions[id]?.customer === params.customer);
        const session = createPortalSession(params, now, (id) => `${account.url()}/p/session/${id}`);
        state.portal_sessions[session.id] = session;
        emit('billing_portal.session.created', session);
        return session;
      }),
    ),
  ];
}

function checkFlow(flow: z.infer<typeof Create>['flow_data'], isOwn: (subscription: string) => boolean): void {
  if (flow?.type !== 'subscription_cancel') return;
  const param = 'flow_data[subscription_cancel][subscription]';
  const id = flow.subscription_cancel?.subscription;
  if (id === undefined) throw refuseParam(`Missing required param: ${param}.`, param, 'parameter_missing');
  if (!isOwn(id)) throw refuseMissing('subscription', id, param);
}
