import type { Operation } from './openapi.ts';

/** Boxes, money and the pages around them. */
export const BOX_OPERATIONS: Operation[] = [];
