import { createHmac, randomUUID } from 'node:crypto';
import { TokenResponse } from '../../contract/auth.ts';
import { API_VERSION } from '../../control-plane/integrations/stripe.ts';
import type { Caller } from './caller.ts';
import type { Operation } from './drive.ts';
import type { Device, Subscriber } from './people.ts';
import { addressOf, browserHeaders, signUp } from './sign-up.ts';
import type { Customer, Plane, VendorPages } from './sign-up.ts';

/** Something that the control plane is made to do, over and over. */
export interface Workload {
  name: string;
  once: Operation;
  /** Resolves when what it has set going elsewhere is done, too. */
  settle?(): Promise<void>;
}

/** The bare handler: each loop another row, as each customer has rows of their own. */
export function createFloorLoad(caller: Caller, rows: number): Workload {
  let count = 0;
  return {
    name: 'the floor',
    async once(times) {
      const body = JSON.stringify({ id: (count++ % rows) + 1 });
      const headers = { 'content-type': 'application/json' };
      await caller.call({ method: 'POST', path: '/', headers, body, expects: 200 }, times);
    },
  };
}

/** Somebody new each time, whose login is `prefix` and a number. */
export function createSignUpLoad(
  name: string,
  prefix: string,
  plane: Plane,
  pages: VendorPages,
): Workload & { customers: Customer[] } {
  const customers: Customer[] = [];
  let count = 0;
  return {
    name,
    customers,
    async once(times) {
      const n = ++count;
      customers.push(await signUp(plane, pages, { login: `${prefix}${n}`, address: addressOf(n) }, times));
    },
  };
}

/** Each event twice, as Stripe may send it; the second time it has to be known. `sent` counts the events of each subscription. */
export function createWebhookLoad(
  caller: Caller,
  { subscribers, secret, sent }: { subscribers: readonly Subscriber[]; secret: string; sent: Map<string, number> },
): Workload {
  let count = 0;
  return {
    name: 'webhooks, each event twice',
    async once(times) {
      const id = at(subscribers, count++).subscription_id;
      sent.set(id, (sent.get(id) ?? 0) + 1);
      const body = JSON.stringify(describeEvent(id));
      for (const outcome of ['applied', 'repeated']) {
        const headers = { 'content-type': 'application/json', 'stripe-signature': sign(body, secret) };
        const call = { method: 'POST', path: '/api/subscription/webhook', headers, body, expects: 200 } as const;
        const { text } = await caller.call(call, times);
        if ((JSON.parse(text) as { outcome: string }).outcome !== outcome)
          throw new Error(`An event that should have been ${outcome} was answered with ${text}`);
      }
    },
  };
}

/** Every device replaces its own token, again and again; a device that is at it is not asked to do it twice at once. */
export function createRefreshLoad(caller: Caller, devices: readonly Device[]): Workload {
  const idle = [...devices];
  return {
    name: 'token refreshes',
    async once(times) {
      const device = idle.shift();
      if (device === undefined) throw new Error('There are fewer devices than loops');
      const body = new URLSearchParams({
        grant_type: 'refresh_token',
        refresh_token: device.token,
        client_id: 'spoq-cli',
      }).toString();
      const headers = {
        'content-type': 'application/x-www-form-urlencoded',
        'x-forwarded-for': device.address,
      };
      const { text } = await caller.call({ method: 'POST', path: '/auth/refresh', headers, body, expects: 200 }, times);
      const { refresh_token: next } = TokenResponse.parse(JSON.parse(text));
      if (next === device.token) throw new Error('A refresh token was not replaced');
      device.token = next;
      device.refreshes += 1;
      idle.push(device);
    },
  };
}

/** People change their minds about the password of their box to be. */
export function createPasswordLoad({ baseUrl, caller }: Plane, customers: readonly Customer[]): Workload {
  let count = 0;
  return {
    name: 'SSH passwords',
    async once(times) {
      const headers = browserHeaders(baseUrl, at(customers, count++));
      const body = new URLSearchParams({ password: `a tide table for ${count}!` }).toString();
      await caller.call({ method: 'POST', path: '/setup/password', headers, body, expects: 303 }, times);
    },
  };
}

/** The list over and over. */
function at<T>(list: readonly T[], index: number): T {
  const found = list[index % list.length];
  if (found === undefined) throw new Error('There is nobody to do it for');
  return found;
}

function describeEvent(subscriptionId: string): Record<string, unknown> {
  return {
    id: `evt_load_${randomUUID().replaceAll('-', '')}`,
    object: 'event',
    api_version: API_VERSION,
    created: Math.floor(Date.now() / 1000),
    type: 'customer.subscription.updated',
    data: { object: { id: subscriptionId, object: 'subscription' } },
  };
}

/** https://docs.stripe.com/webhooks?verify=verify-manually */
function sign(body: string, secret: string): string {
  const seconds = Math.floor(Date.now() / 1000);
  return `t=${seconds},v1=${createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex')}`;
}
