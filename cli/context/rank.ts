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
  const names = readNames(question);
  const distances = new Map<string, number>();
  const measure = (folder: string): number => {
    const known = distances.get(folder) ?? measureDistance(here, folder);
    distances.set(folder, known);
    return known;
  };
  const keyed = candidates.map((one) => {
    const folder = one.path.slice(0, Math.max(0, one.path.lastIndexOf('/')));
    const tier = findTier(one.path, folder, names, here);
    const size = sizes.get(one.path) ?? 0;
    return { one, key: [tier, one.origin === 'tracked' ? 0 : 1, measure(folder), size] };
  });
  return keyed.sort((a, b) => compareKeys(a.key, b.key) || (a.one.path < b.one.path ? -1 : 1)).map(({ one }) => one);
}

function compareKeys(a: readonly number[], b: readonly number[]): number {
  for (const [index, value] of a.entries()) {
    const other = b[index] ?? 0;
    if (value !== other) return value - other;
  }
  return 0;
}

function findTier(path: string, folder: string, names: Names, here: string): number {
  if (isNamed(path.toLowerCase(), names)) return 0;
  const base = path.slice(path.lastIndexOf('/') + 1);
  if (CONVENTIONS.test(base) && `${here}/`.startsWith(folder === '' ? '' : `${folder}/`)) return 0;
  if ((folder === '' || folder === here) && OVERVIEW.test(base)) return 1;
  return GENERATED.test(path) ? 3 : 2;
}

/** What a question may name: by the last part of a path, each with all of its parts. */
type Names = ReadonlyMap<string, readonly string[]>;

function readNames(question: string): Names {
  const names = new Map<string, string[]>();
  for (const word of new Set(question.toLowerCase().match(/[\w.@/-]*\w/g))) {
    const last = word.slice(word.lastIndexOf('/') + 1);
    names.set(last, [...(names.get(last) ?? []), word]);
  }
  return names;
}

/** `src/auth/token.ts` is named by itself, by `auth/token.ts`, by `token.ts`, and by `token` (four letters or more). */
function isNamed(path: string, names: Names): boolean {
  const base = path.slice(path.lastIndexOf('/') + 1);
  if (names.get(base)?.some((word) => path === word || path.endsWith(`/${word}`)) === true) return true;
  const dot = base.lastIndexOf('.');
  const stem = dot > 0 ? base.slice(0, dot) : base;
  return stem.length >= 4 && names.get(stem)?.includes(stem) === true;
}

/** Steps from one folder to another, up and down. */
function measureDistance(from: string, to: string): number {
  return posix
    .relative(`/${from}`, `/${to}`)
    .split('/')
    .filter((part) => part !== '').length;
}
