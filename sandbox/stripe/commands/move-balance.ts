import type { Change } from '../account.ts';

/** Adds to what a customer owes; a negative amount is credit. Tells so, when there is anything to tell. */
export function moveBalance({ state, emit }: Change, id: string, amount: number): void {
  const customer = state.customers[id];
  if (customer === undefined || amount === 0) return;
  const before = customer.balance;
  customer.balance += amount;
  emit('customer.updated', customer, { balance: before });
}
