import type { Problem } from '../../contract/problem.ts';
import type { Pages } from './pages.ts';

/** A failure as a page: what happened, what to do next, and the id to quote. */
export function renderProblemPage(pages: Pages, problem: Problem): string {
  return pages.render('problem', { title: problem.title }, { problem });
}
