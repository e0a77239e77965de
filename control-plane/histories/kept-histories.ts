import type { Happening } from './happenings.ts';

/** Histories that once went wrong, shrunk, by what was wrong; and the one that goes well. */
export const KEPT_HISTORIES: Record<string, Happening[]> = {
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
