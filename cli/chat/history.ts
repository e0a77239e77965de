import { randomUUID } from 'node:crypto';
import { appendFile, chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { findCredentialsPath, isMissing } from '../auth/credentials.ts';
import { redactText } from '../../sync/rules/secret-text.ts';
import type { CliDeps } from '../deps.ts';
import { parseJson } from '../http/problem.ts';

/** What was typed, the oldest first. */
export interface History {
  entries: readonly string[];
  /** Keeps one until this conversation is left. */
  remember(text: string): void;
  /** Keeps one for good, without what looks secret. The file is readable by its owner alone. */
  add(text: string): Promise<void>;
}

const MOST_ENTRIES = 500;
/** A longer one, most likely pasted, is kept for this conversation only. */
const MOST_CHARS = 4000;

export function findHistoryPath(deps: Pick<CliDeps, 'env' | 'homeFolder'>): string {
  return join(dirname(findCredentialsPath(deps)), 'history');
}

/** Reads what was typed in conversations before: one JSON text a line. `warn` is told once where it can't be kept. */
export async function loadHistory(
  deps: Pick<CliDeps, 'env' | 'homeFolder'>,
  warn: (message: string) => Promise<void>,
): Promise<History> {
  const path = findHistoryPath(deps);
  let isKept = true;
  const keep = async (write: () => Promise<void>): Promise<void> => {
    if (!isKept) return;
    try {
      await write();
    } catch (error) {
      isKept = false;
      await warn(`${path} cannot be used (${describeCause(error)}): what you type is remembered until you leave.`);
    }
  };
  const entries: string[] = [];
  await keep(async () => {
    entries.push(...(await readEntries(path)));
  });
  const remember = (text: string): void => void entries.push(text);
  return {
    entries,
    remember,
    async add(text) {
      if (text === entries.at(-1)) return;
      remember(text);
      if (text.length > MOST_CHARS) return;
      await keep(async () => {
        await mkdir(dirname(path), { recursive: true, mode: 0o700 });
        await appendFile(path, formatEntry(redactText(text).text), { mode: 0o600 });
      });
    },
  };
}

/** The last entries. A file that has grown to twice as many is cut to these. */
async function readEntries(path: string): Promise<string[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
  await chmod(path, 0o600);
  // A line that was cut off by a crash is no entry.
  const all = text.split('\n').flatMap((line) => z.string().safeParse(parseJson(line)).data ?? []);
  const last = all.slice(-MOST_ENTRIES);
  if (all.length > 2 * MOST_ENTRIES) await replace(path, last.map(formatEntry).join(''));
  return last;
}

async function replace(path: string, text: string): Promise<void> {
  const draft = `${path}.${randomUUID()}.tmp`;
  try {
    await writeFile(draft, text, { mode: 0o600, flag: 'wx' });
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

function formatEntry(text: string): string {
  return `${JSON.stringify(text)}\n`;
}

function describeCause(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
