import { endSession, listSessionsOf } from '../db/sessions.ts';
import type { Deps } from '../deps.ts';
import { describeBrowser } from '../presenters/browsers.ts';
import { recordAudit } from './audit.ts';

/** Whoever was signed out from elsewhere is told so for a day, or until they sign in again. */
const TOLD_MS = 86_400_000;

/** Signs one browser out. False when it isn't a session of this person. */
export async function revokeSession(
  deps: Pick<Deps, 'db' | 'now'>,
  user: { id: string },
  id: string,
  ip: string,
): Promise<boolean> {
  const at = deps.now();
  return deps.db.transaction(async (tx) => {
    const ended = await endSession(tx, user.id, id, at, new Date(at.getTime() + TOLD_MS));
    if (ended === undefined) return false;
    await recordAudit(tx, {
      at,
      actor: `user:${user.id}`,
      user_id: user.id,
      action: 'session.revoked',
      detail: { session_id: id, browser: describeBrowser(ended.user_agent) },
      ip,
    });
    return true;
  });
}

/** Signs every browser of a person out but the one whose session is `kept`; answers how many there were. */
export async function revokeOtherSessions(
  deps: Pick<Deps, 'db' | 'now'>,
  user: { id: string },
  kept: string | undefined,
  ip: string,
): Promise<number> {
  let ended = 0;
  for (const { id } of await listSessionsOf(deps.db, user.id, deps.now()))
    if (id !== kept && (await revokeSession(deps, user, id, ip))) ended += 1;
  return ended;
}
