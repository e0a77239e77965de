import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { SpoqError } from '../../contract/errors.ts';

export interface Words {
  question: string;
  /** Absolute, in the order they were named, each once. */
  named: string[];
  /** What is written like a file inside the question, and isn't there: `add.ts` of `@add.ts`. */
  not_found: string[];
}

/** People and packages begin with @ as well: a file has an extension. */
const LIKE_A_FILE = /\.[a-z]\w{0,9}$/i;

/**
 * Splits the arguments of `ask` into the question and the files and folders that it names: an argument `@path`, or `@path`
 * inside the question where such a file exists. Throws `invalid_request` naming every `@path` argument that isn't there.
 */
export async function parseWords(words: string[], cwd: string, homeFolder: string): Promise<Words> {
  const question: string[] = [];
  const named = new Set<string>();
  const missing: string[] = [];
  for (const word of words) {
    const path = word.length > 1 && word.startsWith('@') ? resolvePath(word.slice(1), cwd, homeFolder) : undefined;
    if (path !== undefined && (await exists(path))) named.add(path);
    else if (path === undefined || /\s/.test(word)) question.push(word);
    else missing.push(word);
  }
  if (missing.length > 0) {
    throw new SpoqError('invalid_request', {
      faults: missing.map((word) => ({ field: word, message: 'there is no such file or folder' })),
      next: 'Correct the path. To write a word that begins with @, put the whole question in quotes.',
    });
  }
  const notFound = new Set<string>();
  for (const match of question.join(' ').matchAll(/(?<=^|[\s("'`])@([^\s"'`]+)/g)) {
    const mentioned = match[1] ?? '';
    const bare = mentioned.replace(/[.,;:!?)\]]+$/, '');
    let isThere = false;
    for (const candidate of [mentioned, bare]) {
      const path = resolvePath(candidate, cwd, homeFolder);
      if (candidate === '' || !(await exists(path))) continue;
      named.add(path);
      isThere = true;
    }
    if (!isThere && LIKE_A_FILE.test(bare)) notFound.add(bare);
  }
  return { question: question.join(' ').trim(), named: [...named], not_found: [...notFound] };
}

/** An absolute path. The shell doesn't expand ~ behind an @. */
function resolvePath(path: string, cwd: string, homeFolder: string): string {
  return path === '~' || path.startsWith('~/') ? join(homeFolder, path.slice(1)) : resolve(cwd, path);
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch {
    return false;
  }
}
