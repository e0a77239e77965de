import type { Context } from 'koa';
import { getNotice } from '../middleware/notice.ts';
import { getSession } from '../middleware/session.ts';
import type { PageFrame, Pages } from './pages.ts';

/** Answers with a page, made for one person and kept by nobody. */
export function showPage(
  deps: { pages: Pages },
  ctx: Context,
  view: string,
  frame: Omit<PageFrame, 'user' | 'notice'>,
  data: object = {},
): void {
  ctx.type = 'html';
  ctx.set('Cache-Control', 'no-store');
  ctx.body = deps.pages.render(view, { ...frame, user: getSession(ctx).user, notice: getNotice(ctx) }, data);
}
