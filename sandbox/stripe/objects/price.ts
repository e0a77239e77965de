import { createId } from '../state.ts';
import type { Interval, Price, StripeObject } from '../state.ts';

export function createProduct(
  fields: { id?: string; name: string; description?: string; metadata?: Record<string, string>; active?: boolean },
  now: number,
): StripeObject & { name: string; active: boolean } {
  return {
    id: fields.id ?? createId('prod'),
    object: 'product',
    active: fields.active ?? true,
    created: now,
    default_price: null,
    description: fields.description ?? null,
    images: [],
    livemode: false,
    marketing_features: [],
    metadata: fields.metadata ?? {},
    name: fields.name,
    package_dimensions: null,
    shippable: null,
    statement_descriptor: null,
    tax_code: null,
    tax_details: null,
    type: 'service',
    unit_label: null,
    updated: now,
    url: null,
  };
}

export interface PriceFields {
  product: string;
  currency: string;
  unit_amount: number;
  recurring?: { interval: Interval; interval_count?: number };
  lookup_key?: string;
  nickname?: string;
  metadata?: Record<string, string>;
  active?: boolean;
}

export function createPrice(fields: PriceFields, now: number): Price {
  const { recurring } = fields;
  return {
    id: createId('price'),
    object: 'price',
    active: fields.active ?? true,
    billing_scheme: 'per_unit',
    created: now,
    currency: fields.currency,
    custom_unit_amount: null,
    livemode: false,
    lookup_key: fields.lookup_key ?? null,
    metadata: fields.metadata ?? {},
    nickname: fields.nickname ?? null,
    product: fields.product,
    recurring: recurring
      ? {
          interval: recurring.interval,
          interval_count: recurring.interval_count ?? 1,
          meter: null,
          usage_type: 'licensed',
        }
      : null,
    tax_behavior: 'unspecified',
    tiers_mode: null,
    transform_quantity: null,
    type: recurring ? 'recurring' : 'one_time',
    unit_amount: fields.unit_amount,
    unit_amount_decimal: String(fields.unit_amount),
  };
}
