import type { Happening } from './happenings.ts';

/** Histories that once went wrong, shrunk, by what was wrong; and the one that goes well. */
export const KEPT_HISTORIES: Record<string, Happening[]> = {
  // The checks once looked at the end of a month alone, and had not seen the grace period in it.
  'a bank takes the money back': [
    { what: 'join', who: 0, plan: 'basic' },
    { what: 'dispute', who: 0 },
    { what: 'fall_behind', who: 1, is_working: false },
    { what: 'days', days: 31, is_working: true },
  ],
  // Payments were once looked for four days back.
  'nothing is heard of a payment for eight days': [
    { what: 'subscribe', who: 1, plan: 'basic' },
    { what: 'pay', who: 1, plan: 'basic' },
    { what: 'days', days: 8, is_working: true },
  ],
  // What the bank has taken back was once to be given back again, which Stripe refuses.
  'a bank takes the money back from somebody who leaves': [
    { what: 'join', who: 0, plan: 'basic' },
    { what: 'dispute', who: 0 },
    { what: 'leave', who: 0 },
  ],
  'somebody pays, signs in, and has a box': [
    { what: 'subscribe', who: 0, plan: 'basic' },
    { what: 'pay', who: 0, plan: 'basic' },
    { what: 'webhooks', order: 0, dropped: 0, repeated: false },
    { what: 'sign_in', who: 0, plan: 'basic' },
    { what: 'ask_for_box', who: 0 },
    { what: 'work', crash: undefined },
    { what: 'days', days: 31, is_working: true },
    { what: 'webhooks', order: 5, dropped: 0, repeated: true },
  ],
};
