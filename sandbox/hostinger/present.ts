import { PLANS, PRICE_ITEMS, type PriceItem, TEMPLATES } from './catalog.ts';
import type { Action, HostingerState, Subscription, VirtualMachine } from './state.ts';

type Presented = Record<string, unknown>;

/** Hostinger writes whole seconds. */
function seconds(iso: string): string {
  return iso.replace(/\.\d+Z$/, 'Z');
}

/** A paginated list. The text of the document says 50 a page. */
export function presentPage(items: Presented[], page: unknown): Presented {
  const perPage = 50;
  const current = Math.max(1, Number(page) || 1);
  return {
    data: items.slice((current - 1) * perPage, current * perPage),
    meta: { current_page: current, per_page: perPage, total: items.length },
  };
}

/** A virtual machine as it is now. Locked while it is on its way to another state. */
export function presentMachine(vm: VirtualMachine, now: number): Presented {
  const plan = PRICE_ITEMS.find(({ id }) => id === vm.price_item_id)?.plan;
  const hasAddress = vm.address_at !== undefined && vm.address_at <= now;
  return {
    id: vm.id,
    firewall_group_id: null,
    subscription_id: vm.subscription_id,
    data_center_id: vm.data_center_id,
    plan: plan?.name ?? null,
    hostname: vm.hostname,
    state: vm.state,
    actions_lock: vm.next ? 'locked' : 'unlocked',
    cpus: plan?.cpus,
    memory: plan?.memory,
    disk: plan?.disk,
    bandwidth: 1_073_741_824,
    ns1: vm.ns1,
    ns2: vm.ns2,
    ipv4: hasAddress ? [{ id: vm.id * 2, address: vm.ipv4, ptr: vm.hostname }] : null,
    ipv6: hasAddress
      ? [{ id: vm.id * 2 + 1, address: `2001:db8:${vm.id.toString(16).slice(-4)}::1`, ptr: null }]
      : null,
    template: TEMPLATES.find(({ id }) => id === vm.template_id) ?? null,
    created_at: seconds(vm.created_at),
  };
}

/** The order of a purchase, paid at once. */
export function presentOrder(item: PriceItem, subscription: Subscription, id: number): Presented {
  return {
    id,
    subscription_id: subscription.id,
    status: 'completed',
    currency: 'USD',
    subtotal: item.first,
    total: item.first,
    billing_address: {
      first_name: 'Sandbox',
      last_name: 'Spoq',
      company: null,
      address_1: null,
      address_2: null,
      city: null,
      state: null,
      zip: null,
      country: 'NL',
      phone: null,
      email: 'sandbox@spoq.localhost',
    },
    created_at: seconds(subscription.created_at),
    updated_at: seconds(subscription.created_at),
  };
}

export function presentAction(action: Action): Presented {
  const { id, name, state, created_at, updated_at } = action;
  return { id, name, state, created_at: seconds(created_at), updated_at: seconds(updated_at) };
}

export function presentSubscription(subscription: Subscription): Presented {
  const item = PRICE_ITEMS.find(({ id }) => id === subscription.price_item_id);
  const renews = subscription.status === 'active';
  return {
    id: subscription.id,
    name: item?.plan.name,
    status: subscription.status,
    billing_period: item?.period,
    billing_period_unit: item?.period_unit,
    currency_code: 'USD',
    total_price: item?.first,
    renewal_price: item?.price,
    is_auto_renewed: renews,
    created_at: seconds(subscription.created_at),
    expires_at: seconds(subscription.expires_at),
    next_billing_at: renews ? seconds(subscription.expires_at) : null,
  };
}

export function presentCatalog(): Presented[] {
  return PLANS.map((plan) => ({
    id: plan.id,
    name: plan.name,
    category: 'VPS',
    metadata: null,
    prices: PRICE_ITEMS.filter((item) => item.plan === plan).map((item) => ({
      id: item.id,
      name: `${plan.name} (billed ${item.label})`,
      currency: 'USD',
      price: item.price,
      first_period_price: item.first,
      period: item.period,
      period_unit: item.period_unit,
    })),
  }));
}

export function presentPaymentMethod(state: HostingerState): Presented {
  return {
    id: state.payment_method_id,
    name: 'Credit Card',
    identifier: '4242*****4242',
    payment_method: 'card',
    is_default: true,
    is_expired: false,
    is_suspended: false,
    created_at: seconds(state.opened_at),
    expires_at: '2036-12-31T23:59:59Z',
  };
}
