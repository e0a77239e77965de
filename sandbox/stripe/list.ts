import { refuseMissing } from './errors.ts';
import type { Range } from './params.ts';
import type { List, StripeObject } from './state.ts';

export interface Paging {
  limit?: number;
  starting_after?: string;
  ending_before?: string;
}

const PAGE = 10;

/** A page of a list, newest first, in Stripe's envelope. `items` are in the order in which they were made. */
export function listPage<T extends { id: string }>(items: T[], paging: Paging, url: string): List<T> {
  const newestFirst = items.toReversed();
  const limit = paging.limit ?? PAGE;
  if (paging.ending_before !== undefined) {
    const before = newestFirst.slice(0, findCursor(newestFirst, paging.ending_before, 'ending_before'));
    return { object: 'list', data: before.slice(-limit), has_more: before.length > limit, url };
  }
  const from =
    paging.starting_after === undefined ? 0 : findCursor(newestFirst, paging.starting_after, 'starting_after') + 1;
  const rest = newestFirst.slice(from);
  return { object: 'list', data: rest.slice(0, limit), has_more: rest.length > limit, url };
}

function findCursor(items: { id: string }[], id: string, param: string): number {
  const at = items.findIndex((item) => item.id === id);
  if (at < 0) throw refuseMissing('object', id, param);
  return at;
}

/** Keeps objects whose fields have the values that are given; undefined values ask for nothing. */
export function matching<T extends StripeObject>(objects: Record<string, T>, fields: Record<string, unknown>): T[] {
  const wanted = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.values(objects).filter((object) => wanted.every(([field, value]) => object[field] === value));
}

/** True when a time lies in what a `created` filter asks for. */
export function isInRange(time: number, range: Range | undefined): boolean {
  if (range === undefined) return true;
  const bounds = range as { gt?: number; gte?: number; lt?: number; lte?: number };
  return (
    time > (bounds.gt ?? -Infinity) &&
    time >= (bounds.gte ?? -Infinity) &&
    time < (bounds.lt ?? Infinity) &&
    time <= (bounds.lte ?? Infinity)
  );
}
