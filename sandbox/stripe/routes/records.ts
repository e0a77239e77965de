import { z } from 'zod';
import type { Account } from '../account.ts';
import { refuseMissing } from '../errors.ts';
import { isInRange, listPage } from '../list.ts';
import { common, paging, range, text } from '../params.ts';
import { defineRoute, type Route } from './route.ts';

const ListEvents = z.strictObject({
  ...paging,
  created: range.optional(),
  type: text.optional(),
  types: z.array(text).max(20).optional(),
});
const NoParams = z.strictObject(common);

/** What only happens and is never asked for: /v1/events, list and get. */
export function createRecordRoutes(account: Account): Route[] {
  return [
    defineRoute('get', '/v1/events', ListEvents, ({ type, types, created, ...page }) => {
      const wanted = [...(type === undefined ? [] : [type]), ...(types ?? [])];
      const found = Object.values(account.state.events).filter(
        (event) =>
          (wanted.length === 0 || wanted.some((one) => isType(event.type, one))) && isInRange(event.created, created),
      );
      return listPage(found, page, '/v1/events');
    }),
    defineRoute('get', '/v1/events/:id', NoParams, (_params, { id = '' }) => {
      const event = account.state.events[id];
      if (event === undefined) throw refuseMissing('event', id);
      return event;
    }),
  ];
}

/** `customer.subscription.*` names a family of types. */
function isType(type: string, wanted: string): boolean {
  return wanted.endsWith('*') ? type.startsWith(wanted.slice(0, -1)) : type === wanted;
}
