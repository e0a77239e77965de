import { z } from 'zod';
import type { Account } from '../account.ts';
import { refuseMissing, refuseParam } from '../errors.ts';
import { isInRange, listPage, matching } from '../list.ts';
import { createPrice, createProduct } from '../objects/price.ts';
import { common, flag, integer, mergeMetadata, metadata, paging, range, text } from '../params.ts';
import type { StripeState } from '../state.ts';
import { defineRoute, type Route } from './route.ts';

const NoParams = z.strictObject(common);
const CreateProduct = z.strictObject({
  ...common,
  id: z.string().max(5000).optional(),
  name: text.min(1),
  description: text.optional(),
  active: flag.optional(),
  metadata: metadata.optional(),
});
const ListProducts = z.strictObject({
  ...paging,
  active: flag.optional(),
  created: range.optional(),
  ids: z.array(text).optional(),
});
const CreatePrice = z.strictObject({
  ...common,
  currency: z
    .string()
    .regex(/^[a-z]{3}$/i, 'must be a three-letter ISO currency code')
    .toLowerCase(),
  unit_amount: integer,
  product: text.optional(),
  product_data: z.strictObject({ name: text.min(1), metadata: metadata.optional() }).optional(),
  recurring: z
    .strictObject({ interval: z.enum(['day', 'week', 'month', 'year']), interval_count: integer.optional() })
    .optional(),
  lookup_key: z.string().max(200).optional(),
  transfer_lookup_key: flag.optional(),
  nickname: text.optional(),
  active: flag.optional(),
  metadata: metadata.optional(),
});
const ListPrices = z.strictObject({
  ...paging,
  active: flag.optional(),
  created: range.optional(),
  currency: text.optional(),
  lookup_keys: z.array(text).max(10).optional(),
  product: text.optional(),
  type: z.enum(['one_time', 'recurring']).optional(),
});

/** /v1/products and /v1/prices: create, list, get. Prices are found by lookup key, which only one of them can have. */
export function createCatalogRoutes(account: Account): Route[] {
  return [
    defineRoute('post', '/v1/products', CreateProduct, (params) =>
      account.change(({ state, now, emit }) => {
        if (params.id !== undefined && state.products[params.id] !== undefined) {
          throw refuseParam('Product already exists.', 'id', 'resource_already_exists');
        }
        const product = createProduct({ ...params, metadata: mergeMetadata({}, params.metadata) }, now);
        state.products[product.id] = product;
        emit('product.created', product);
        return product;
      }),
    ),
    defineRoute('get', '/v1/products', ListProducts, (params) => {
      const found = matching(account.state.products, { active: params.active }).filter(
        ({ id, created }) => (params.ids?.includes(id) ?? true) && isInRange(created, params.created),
      );
      return listPage(found, params, '/v1/products');
    }),
    defineRoute('get', '/v1/products/:id', NoParams, (_params, { id }) =>
      find(account.state, 'products', 'product', id),
    ),
    defineRoute('post', '/v1/prices', CreatePrice, (params) => addPrice(account, params)),
    defineRoute('get', '/v1/prices', ListPrices, (params) => {
      const { active, currency, product, type } = params;
      const found = matching(account.state.prices, { active, currency, product, type }).filter(
        ({ lookup_key: key, created }) =>
          (params.lookup_keys === undefined || (key !== null && params.lookup_keys.includes(key))) &&
          isInRange(created, params.created),
      );
      return listPage(found, params, '/v1/prices');
    }),
    defineRoute('get', '/v1/prices/:id', NoParams, (_params, { id }) => find(account.state, 'prices', 'price', id)),
  ];
}

function addPrice(account: Account, params: z.infer<typeof CreatePrice>): object {
  return account.change(({ state, now, emit }) => {
    if ((params.product === undefined) === (params.product_data === undefined)) {
      throw refuseParam('You must pass exactly one of `product` or `product_data`.', 'product', 'parameter_missing');
    }
    if (params.unit_amount < 0)
      throw refuseParam('Invalid unit_amount: must be greater than or equal to 0.', 'unit_amount');
    const holder = Object.values(state.prices).find((price) => price.lookup_key === (params.lookup_key ?? ''));
    if (holder !== undefined && params.transfer_lookup_key !== true) {
      throw refuseParam(
        `A price (\`${holder.id}\`) already uses that lookup key.`,
        'lookup_key',
        'resource_already_exists',
      );
    }
    const product =
      params.product_data === undefined
        ? state.products[params.product ?? '']
        : createProduct({ ...params.product_data, metadata: mergeMetadata({}, params.product_data.metadata) }, now);
    if (product === undefined) throw refuseMissing('product', params.product ?? '', 'product');
    if (state.products[product.id] === undefined) {
      state.products[product.id] = product;
      emit('product.created', product);
    }
    if (holder !== undefined) holder.lookup_key = null;
    const price = createPrice({ ...params, product: product.id, metadata: mergeMetadata({}, params.metadata) }, now);
    state.prices[price.id] = price;
    emit('price.created', price);
    return price;
  });
}

function find<K extends 'products' | 'prices'>(
  state: StripeState,
  kind: K,
  what: string,
  id = '',
): StripeState[K][string] {
  const found = state[kind][id] as StripeState[K][string] | undefined;
  if (found === undefined) throw refuseMissing(what, id);
  return found;
}
