import type { BudgetReport } from '../../contract/budget.ts';
import type { Price } from './prices.ts';
import type { Usage } from './cost.ts';

/** In micro-dollars; null is no limit. */
export interface Limits {
  day: number | null;
  month: number | null;
  conversation: number | null;
}

export interface Call {
  provider: string;
  model: string;
  price: Price;
  conversation: string;
  inputTokensAtMost: number;
  outputTokensAtMost: number;
}

/** Money that a call may use. Exactly one of its ends is called. */
export interface Reservation {
  /** What the call may say: `outputTokensAtMost`, or less where the budget doesn't pay for that. */
  readonly outputTokens: number;
  /** The call has ended: what it really used is charged. Settles when it is on the disk. */
  settle(usage: Usage): Promise<{ cost_micros: number }>;
  /** The call never began: nothing is charged. */
  release(): Promise<void>;
  /** The call was broken off, and nobody has said what it used: all that was reserved is charged. */
  keep(): Promise<{ cost_micros: number }>;
}

/** What the box may spend on models, over all its clients. */
export interface Budget {
  /**
   * Sets money aside for a call, before it begins, in one transaction with the look at what is left. Throws `budget_exceeded`, or
   * `storage_failed` where it can't be written down.
   */
  reserve(call: Call): Promise<Reservation>;
  /**
   * The same as a part of the caller's transaction: one wait for the disk less. What it returns is called when that transaction is on the
   * disk; it throws `budget_exceeded`.
   */
  reserveWithin(call: Call): () => Reservation;
  /** What was spent and what is left; with the figures of a conversation if one is named. */
  report(conversation?: string): BudgetReport;
  /** Changes the limits that are named. */
  setLimits(changes: Partial<Limits>): Promise<void>;
}
