import type { Context } from 'koa';
import { findSetupPath } from '../commands/find-setup-path.ts';
import { findBoxOfUser, type UserVpsRow } from '../db/user-vps.ts';
import type { Deps } from '../deps.ts';
import { getSession } from '../middleware/session.ts';

/** The person's box, once it has been ready. Otherwise sends the browser to sign in, or to where their sign-up stands. */
export async function findReadyBox(deps: Pick<Deps, 'db'>, ctx: Context): Promise<UserVpsRow | undefined> {
  const session = getSession(ctx);
  if (session.user === undefined) {
    leadTo(ctx, `/auth/github?return_to=${encodeURIComponent(ctx.path)}`);
    return undefined;
  }
  const box = await findBoxOfUser(deps.db, session.user.id);
  if (box?.status === 'ready') return box;
  leadTo(ctx, await findSetupPath(deps, session));
  return undefined;
}

/** Sends the browser to another page of ours. */
export function leadTo(ctx: Context, path: string): void {
  ctx.status = 303;
  ctx.redirect(path);
}
