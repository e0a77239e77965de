import { deleteExpiredCodes } from '../db/authorization-codes.ts';
import { HOSTNAME_REST_DAYS } from '../commands/provision-box.ts';
import { deleteExpiredBootTokens } from '../db/boot-tokens.ts';
import { expireOldCheckouts } from '../db/checkouts.ts';
import { deleteExpiredGrants } from '../db/device-grants.ts';
import { forgetRemains } from '../db/erase-user.ts';
import { deleteOldBrowsers } from '../db/known-browsers.ts';
import { deleteOldMails } from '../db/mails.ts';
import { deleteExpiredRefreshTokens } from '../db/refresh-tokens.ts';
import { deleteExpiredSessions } from '../db/sessions.ts';
import type { Deps } from '../deps.ts';
import { deleteExpiredRateLimits } from '../middleware/rate-limit.ts';

/** So long a checkout may wait for Stripe to answer that there is one. */
const CHECKOUT_HOURS = 48;
/** Who asks what we have written to them asks within a year. */
const MAIL_DAYS = 365;
/** So long a browser stays known that nobody signs in with. */
const BROWSER_DAYS = 365;

/** Forgets what has run out: sessions, device grants, codes, refresh tokens, counters, checkouts that nobody paid. */
export async function expireRecords(deps: Pick<Deps, 'db' | 'now' | 'log'>): Promise<void> {
  const now = deps.now();
  const counts = {
    boot_tokens: await deleteExpiredBootTokens(deps.db, now),
    sessions: await deleteExpiredSessions(deps.db, now),
    device_grants: await deleteExpiredGrants(deps.db, now),
    authorization_codes: await deleteExpiredCodes(deps.db, now),
    refresh_tokens: await deleteExpiredRefreshTokens(deps.db, now),
    known_browsers: await deleteOldBrowsers(deps.db, new Date(now.getTime() - BROWSER_DAYS * 86_400_000)),
    remains: await forgetRemains(deps.db, new Date(now.getTime() - HOSTNAME_REST_DAYS * 86_400_000)),
    mails: await deleteOldMails(deps.db, new Date(now.getTime() - MAIL_DAYS * 86_400_000)),
    rate_limits: await deleteExpiredRateLimits(deps.db, now),
    checkouts: await expireOldCheckouts(deps.db, new Date(now.getTime() - CHECKOUT_HOURS * 3_600_000)),
  };
  if (Object.values(counts).some((count) => count > 0)) deps.log.info(counts, 'expired');
}
