import type { Block } from '../model/stream.ts';
import type { FindItem } from './read-input.ts';
import type { Item } from './request.ts';
import type { ResponseFields } from './response.ts';

/** The service keeps them for 30 days; a sandbox as many as a test can want. */
const KEPT_ITEMS = 1000;

export interface ItemStore {
  /** Keeps the items of a response, unless its request said `store: false`. */
  keep(fields: ResponseFields): void;
  find: FindItem;
}

/** Items of responses that later requests refer to by id. In memory: a restarted sandbox knows none. */
export function createItemStore(): ItemStore {
  const items = new Map<string, Item>();
  return {
    keep({ request, answering, itemIds }) {
      if (request.store === false) return;
      for (const [index, block] of answering.blocks.entries()) items.set(itemIds[index] ?? '', toItem(block));
      for (const id of [...items.keys()].slice(0, -KEPT_ITEMS)) items.delete(id);
    },
    find: (id) => items.get(id),
  };
}

function toItem(block: Block): Item {
  if (block.type === 'text') return { type: 'message', role: 'assistant', content: block.text };
  return { type: 'function_call', call_id: block.id, name: block.name, arguments: block.json };
}
