import type { Context } from 'koa';
import { getNotice } from '../middleware/notice.ts';
import { getSession, SIGNED_OUT_FROM_AFAR } from '../middleware/session.ts';
import type { PageFrame, Pages } from './pages.ts';

/** Answers with a page, made for one person and kept by nobody. */
export function showPage(
  deps: { pages: Pages },
  ctx: Context,
  view: string,
  frame: Omit<PageFrame, 'user' | 'notice' | 'signedOut'>,
  data: object = {},
): void {
  ctx.type = 'html';
  ctx.set('Cache-Control', 'no-store');
  const { user, data: remembered } = getSession(ctx);
  const signedOut = remembered.revoked ? SIGNED_OUT_FROM_AFAR : undefined;
  ctx.body = deps.pages.render(view, { ...frame, user, signedOut, notice: getNotice(ctx) }, data);
}
