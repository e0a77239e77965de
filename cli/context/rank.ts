import { posix } from 'node:path';
import type { Candidate } from './candidate.ts';

/** Files that machines write and nobody asks about; they come last. */
const GENERATED =
  /(^|\/)(package-lock\.json|npm-shrinkwrap\.json|bun\.lockb?|go\.sum|[^/]+\.(lock|map|snap|min\.js|min\.css|svg|po)|pnpm-lock\.yaml)$|(^|\/)(dist|build|vendor|node_modules|third_party|__snapshots__)\//;
/** The project's own conventions, from its root down to where the person is. */
const CONVENTIONS = /^(agents|claude)\.md$/i;
const OVERVIEW =
  /^(readme(\.\w+)?|contributing\.md|package\.json|cargo\.toml|go\.mod|pyproject\.toml|pom\.xml|gemfile|makefile)$/i;

/**
 * Orders candidates by how likely they help: files that the question names and AGENTS.md, then what introduces the project (README and
 * manifests here or at the root), then the rest: tracked before untracked, near the working folder before far, small before
 * large, and last what machines write. `here` is the working folder relative to the root ('' for the root).
 */
export function rankCandidates(
  candidates: Candidate[],
  question: string,
  here: string,
  sizes: ReadonlyMap<string, number>,
): Candidate[] {
  const words = new Set(question.toLowerCase().match(/[\w.@/-]*\w/g));
  const keys = new Map(candidates.map((one) => [one, createKey(one, words, here, sizes.get(one.path) ?? 0)]));
  return candidates.toSorted((a, b) => {
    const [first = [], second = []] = [keys.get(a), keys.get(b)];
    const at = first.findIndex((value, index) => value !== second[index]);
    return at === -1 ? (a.path < b.path ? -1 : 1) : (first[at] ?? 0) - (second[at] ?? 0);
  });
}

function createKey(candidate: Candidate, words: ReadonlySet<string>, here: string, size: number): number[] {
  const folder = posix.dirname(candidate.path) === '.' ? '' : posix.dirname(candidate.path);
  return [
    findTier(candidate.path, folder, words, here),
    candidate.origin === 'tracked' ? 0 : 1,
    measureDistance(here, folder),
    size,
  ];
}

function findTier(path: string, folder: string, words: ReadonlySet<string>, here: string): number {
  if (isNamed(path.toLowerCase(), words)) return 0;
  if (CONVENTIONS.test(posix.basename(path)) && `${here}/`.startsWith(folder === '' ? '' : `${folder}/`)) return 0;
  if ((folder === '' || folder === here) && OVERVIEW.test(posix.basename(path))) return 1;
  return GENERATED.test(path) ? 3 : 2;
}

/** `src/auth/token.ts` is named by itself, by `auth/token.ts`, by `token.ts`, and by `token` (four letters or more). */
function isNamed(path: string, words: ReadonlySet<string>): boolean {
  const parts = path.split('/');
  for (let from = 0; from < parts.length; from++) {
    if (words.has(parts.slice(from).join('/'))) return true;
  }
  const stem = posix.parse(path).name;
  return stem.length >= 4 && words.has(stem);
}

/** Steps from one folder to another, up and down. */
function measureDistance(from: string, to: string): number {
  return posix
    .relative(`/${from}`, `/${to}`)
    .split('/')
    .filter((part) => part !== '').length;
}
