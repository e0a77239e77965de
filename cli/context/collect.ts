import { realpath, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { ASK_LIMITS } from '../../contract/conductor.ts';
import type { CliDeps } from '../deps.ts';
import { estimateTokens } from './candidate.ts';
import type { Candidate, LeftOut } from './candidate.ts';
import { findRepository } from './git.ts';
import type { Repository } from './git.ts';
import { lookAt } from '../../sync/look.ts';
import { createIgnoreRules } from '../../sync/rules/ignore-rules.ts';
import { listFolder } from './list-folder.ts';
import { rankCandidates } from './rank.ts';
import { IMAGE_TOKENS, isInside, readCandidate, toSlashes } from './read-candidate.ts';
import type { ContextFile, ContextImage } from './read-candidate.ts';

export interface CollectOptions {
  /** Ranks the files that it names first. */
  question: string;
  /** Absolute paths of files and folders that were asked for. */
  named: string[];
  /** Absolute paths that are sent as they are, even where they look secret. */
  allowed: string[];
  /** Tokens for all files together. */
  budgetTokens: number;
  /** Tokens of the budget that the question and stdin take. */
  usedTokens: number;
  /** Whether the git repository around the working folder is looked at. */
  repository: boolean;
}

export interface CollectedFiles {
  /** False where a git repository was looked for and none is: nothing but what was named is looked at. */
  repository: boolean;
  files: ContextFile[];
  images: ContextImage[];
  left_out: LeftOut[];
}

/** Generous for source; above are data, dumps and bundles. */
const MAX_FILE_BYTES = 256_000;
/** Looking at the size of every file in a huge repository would take seconds. */
const MAX_CANDIDATES = 5000;

/** Chooses and reads the files that go with a question, within the budget. What is left out is listed with the reason. */
export async function collectFiles(
  deps: Pick<CliDeps, 'env' | 'cwd'>,
  options: CollectOptions,
): Promise<CollectedFiles> {
  const cwd = await realpath(deps.cwd);
  const repository = options.repository ? await findRepository(deps, cwd) : undefined;
  const root = repository?.root ?? cwd;
  const named = await listNamed(deps, options, root, cwd);
  const known = new Set(named.map((one) => one.file));
  const listed =
    repository === undefined ? [] : listRepository(repository, options).filter((one) => !known.has(one.file));
  const here = isInside(root, cwd) ? toSlashes(relative(root, cwd)) : '';
  const nearest = rankCandidates(listed, options.question, here, new Map());
  const sizes = readSizes(nearest.slice(0, MAX_CANDIDATES));
  const ranked = rankCandidates(nearest.slice(0, MAX_CANDIDATES), options.question, here, sizes);
  const read = await readWithin([...named, ...ranked], root, options);
  const collected = { ...read, repository: repository !== undefined || !options.repository };
  for (const { path } of nearest.slice(MAX_CANDIDATES)) {
    collected.left_out.push({
      path,
      bytes: null,
      reason: 'beyond the 5,000 nearest files',
      named: false,
      withheld: false,
    });
  }
  return collected;
}

async function readWithin(
  candidates: Candidate[],
  root: string,
  options: CollectOptions,
): Promise<Omit<CollectedFiles, 'repository'>> {
  const collected: Omit<CollectedFiles, 'repository'> = { files: [], images: [], left_out: [] };
  const rules = createIgnoreRules(root, '.spoqignore');
  let tokens = options.budgetTokens - options.usedTokens;
  for (const candidate of candidates) {
    const isFull = collected.files.length >= ASK_LIMITS.files;
    const limits = { maxFileBytes: MAX_FILE_BYTES, tokens: isFull ? 0 : tokens, budgetTokens: options.budgetTokens };
    const result = await readCandidate(candidate, root, rules, limits);
    if (result === undefined) continue;
    if ('media_type' in result) {
      if (collected.images.length < ASK_LIMITS.images) {
        collected.images.push(result);
        tokens -= IMAGE_TOKENS;
      } else {
        const { path, bytes } = result;
        const reason = `more than ${ASK_LIMITS.images} images`;
        collected.left_out.push({ path, bytes, reason, named: true, withheld: false });
      }
    } else if ('content' in result) {
      collected.files.push(result);
      tokens -= estimateTokens(result.bytes) + estimateTokens(Buffer.byteLength(result.path));
    } else if (isFull && result.reason.startsWith('over the budget')) {
      collected.left_out.push({ ...result, reason: `more than ${ASK_LIMITS.files} files` });
    } else collected.left_out.push(result);
  }
  return collected;
}

/** What the person named, in that order, folders replaced by their files. */
async function listNamed(
  deps: Pick<CliDeps, 'env'>,
  options: CollectOptions,
  root: string,
  cwd: string,
): Promise<Candidate[]> {
  const seen = new Map<string, Candidate>();
  for (const path of options.named) {
    const isFolder = (await stat(path)).isDirectory();
    for (const file of isFolder ? await listFolder(deps, await realpath(path)) : [path]) {
      const shown = toSlashes(isInside(root, file) ? relative(root, file) : relative(cwd, file));
      const origin = isFolder ? 'found' : 'named';
      seen.set(file, { path: shown, file, origin, allowed: options.allowed.includes(file) });
    }
  }
  return [...seen.values()];
}

function listRepository(repository: Repository, options: CollectOptions): Candidate[] {
  const toCandidate = (origin: Candidate['origin']) => (path: string) => {
    const file = join(repository.root, path);
    return { path, file, origin, allowed: options.allowed.includes(file) };
  };
  return [...repository.tracked.map(toCandidate('tracked')), ...repository.untracked.map(toCandidate('found'))];
}

function readSizes(candidates: Candidate[]): Map<string, number> {
  const sizes = new Map<string, number>();
  for (const { path, file } of candidates) {
    // Tracked but deleted, or not to be looked at: `readCandidate` leaves it out.
    const stats = lookAt(file);
    if (stats !== undefined) sizes.set(path, stats.size);
  }
  return sizes;
}
