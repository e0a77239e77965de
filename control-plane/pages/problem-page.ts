import type { Problem } from '../../contract/problem.ts';
import type { Pages } from './pages.ts';

/** A link out of a failure, beside the one to the start. */
export interface WayOut {
  /** A path of ours. */
  href: string;
  label: string;
}

/** A failure as a page: what happened, what to do next, and the id to quote. */
export function renderProblemPage(pages: Pages, problem: Problem, wayOut?: WayOut): string {
  return pages.render('problem', { title: problem.title }, { problem, wayOut });
}
