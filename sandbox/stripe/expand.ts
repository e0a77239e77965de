import { refuseParam } from './errors.ts';
import { listLineItems } from './objects/line-items.ts';
import type { CheckoutSession, StripeState } from './state.ts';

type Node = Record<string, unknown>;

/** Fields that hold an id, and the kind of object that takes its place. */
const EXPANDABLE = {
  customer: 'customers',
  subscription: 'subscriptions',
  latest_invoice: 'invoices',
  invoice: 'invoices',
  product: 'products',
  default_payment_method: 'payment_methods',
  payment_method: 'payment_methods',
  payment_intent: 'payment_intents',
  latest_charge: 'charges',
  charge: 'charges',
  test_clock: 'test_clocks',
} as const;

/** A copy of an answer with the objects behind its ids where `paths` ask for them (`data.customer`, `line_items`). */
export function expandAnswer(state: StripeState, answer: object, paths: string[] = []): object {
  const copy = structuredClone(answer);
  for (const path of paths) expandPath(state, copy as Node, path.split('.'), path);
  return copy;
}

function expandPath(state: StripeState, node: Node, keys: string[], whole: string): void {
  const [key, ...rest] = keys;
  if (key === undefined) return;
  const value = expandField(state, node, key, whole);
  for (const child of Array.isArray(value) ? value : [value]) {
    if (typeof child === 'object' && child !== null) expandPath(state, child as Node, rest, whole);
  }
}

function expandField(state: StripeState, node: Node, key: string, whole: string): unknown {
  const value = node[key];
  if (typeof value === 'string') {
    const kind = EXPANDABLE[key as keyof typeof EXPANDABLE];
    const found = kind === undefined ? undefined : state[kind][value];
    if (found === undefined) throw refuseExpansion(whole);
    node[key] = structuredClone(found);
  } else if (value === undefined && key === 'line_items' && node['object'] === 'checkout.session') {
    node[key] = listLineItems(state, node as unknown as CheckoutSession);
  } else if (value === undefined) throw refuseExpansion(whole);
  return node[key];
}

function refuseExpansion(path: string): Error {
  return refuseParam(
    `This property cannot be expanded (${path}). You may want to try expanding 'data.${path}' instead.`,
    'expand',
  );
}
