import type { BillingNotice } from '../../contract/billing.ts';
import { sanitizeLine } from './sanitize.ts';

/** What a person must know about what they pay, in one line. */
export function describeNotice({ message, url }: Pick<BillingNotice, 'message' | 'url'>): string {
  return sanitizeLine(`${message} ${url}`);
}
