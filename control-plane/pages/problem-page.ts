import type { Problem } from '../../contract/problem.ts';

/** A failure as a page: what happened, what to do next, and the id to quote. Replaced by the site's layout where one is given. */
export function renderProblemPage(problem: Problem): string {
  return JSON.stringify(problem);
}
