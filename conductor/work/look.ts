import { lstat } from 'node:fs/promises';
import path from 'node:path';
import { WorkError } from '../workplace/workplace.ts';
import type { ListOptions, SearchHit, SearchOptions } from '../workplace/workplace.ts';
import type { Git } from './git.ts';
import { nameInside, resolveInside } from './paths.ts';
import type { Place } from './place.ts';
import { realpath } from 'node:fs/promises';

const MAX_LINE = 500;
/** More than any project has; what is above is not looked at. */
const MAX_LISTED_BYTES = 32 * 1024 * 1024;
const SEARCH_MS = 30_000;

/** A glob as git reads it: `*` stays in its folder, `**` doesn't. One without a slash is meant for every folder. */
async function toPathspec(place: Place, folder: string | undefined, glob: string | undefined): Promise<string> {
  const root = await realpath(place.tree);
  const below = folder === undefined ? '' : nameInside(root, await resolveInside(place.tree, folder));
  const prefix = below === '' ? '' : `${escapeGlob(below)}/`;
  if (glob === undefined) return `:(top,glob)${prefix}**`;
  return `:(top,glob)${prefix}${glob.includes('/') ? glob.replace(/^\/+/, '') : `**/${glob}`}`;
}

function escapeGlob(text: string): string {
  return text.replaceAll(/[*?[\]\\]/g, String.raw`\$&`);
}

/** The files that are there and not ignored. */
export async function listFiles(
  place: Place,
  git: Git,
  { pattern, folder, limit }: ListOptions,
): Promise<{ paths: string[]; more: boolean }> {
  const spec = await toPathspec(place, folder, pattern);
  const flags = ['--cached', '--others', '--exclude-standard', '--deduplicate', '-z'];
  const output = await git.run(['ls-files', ...flags, '--', spec], { limit: MAX_LISTED_BYTES });
  // A folder at the end of a name is a repository within: what is in there isn't ours.
  const names = output
    .toString('utf8')
    .split('\0')
    .filter((name) => name !== '' && !name.endsWith('/'));
  const paths: string[] = [];
  for (const name of names.sort()) {
    if ((await lstat(path.join(place.tree, name)).catch(() => undefined)) === undefined) continue; // removed by the run
    if (paths.length === limit) return { paths, more: true };
    paths.push(name);
  }
  return { paths, more: false };
}

/** Lines of the same files, texts only. */
export async function searchFiles(
  place: Place,
  git: Git,
  options: SearchOptions,
): Promise<{ hits: SearchHit[]; more: boolean }> {
  const spec = await toPathspec(place, options.folder, options.glob);
  const flags = ['--untracked', '-I', '--line-number', '--no-color', '--full-name', '-z', '--perl-regexp'];
  const deadline = AbortSignal.timeout(SEARCH_MS);
  const hits: SearchHit[] = [];
  let rest = '';
  let more = false;
  const decoder = new TextDecoder();
  const args = ['-c', 'core.quotePath=false', 'grep', ...flags, '-e', options.pattern, '--', spec];
  const { code, stderr } = await git.read(
    args,
    (chunk) => {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = (lines.pop() ?? '').slice(0, 8192); // the rest of a line that long is not shown
      for (const line of lines) {
        const hit = readHit(line);
        if (hit === undefined) continue;
        if (hits.length === options.limit) return !(more = true);
        hits.push(hit);
      }
      if (deadline.aborted) return !(more = true);
      return true;
    },
    { codes: [1, 128, 129] },
  );
  if (code === 128 || code === 129)
    throw new WorkError('bad_pattern', `The pattern can't be used: ${stderr.trim().slice(0, 300)}`);
  return { hits, more };
}

/** `name`, NUL, number, NUL or colon, text. */
function readHit(line: string): SearchHit | undefined {
  const [, name, number, text] = /^([^\0]+)\0(\d+)[\0:](.*)$/s.exec(line) ?? [];
  if (name === undefined || text === undefined) return undefined;
  return { path: name, line: Number(number), text: text.length > MAX_LINE ? `${text.slice(0, MAX_LINE)}…` : text };
}
