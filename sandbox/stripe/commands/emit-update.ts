import type { Change } from '../account.ts';
import type { StripeObject } from '../state.ts';

/** Emits `type` with the former values of what changed since `before`; nothing when nothing did. */
export function emitUpdate(change: Change, type: string, before: StripeObject, after: StripeObject): void {
  const previous = Object.fromEntries(
    Object.entries(before).filter(([field, value]) => JSON.stringify(value) !== JSON.stringify(after[field])),
  );
  if (Object.keys(previous).length > 0) change.emit(type, after, previous);
}
