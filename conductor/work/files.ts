import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import type { Stats } from 'node:fs';
import { chmod, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { MAX_FILE_BYTES } from '../workplace/protocol.ts';
import type { Edits } from '../workplace/protocol.ts';
import { WorkError } from '../workplace/workplace.ts';
import { resolveInside } from './paths.ts';
import { explain } from './processes.ts';
import type { z } from 'zod';

/** As much text as goes into one answer. */
const MAX_TEXT = 2 * 1024 * 1024;

/** A whole file. A pipe or a device is not waited for. */
export async function readWhole(tree: string, name: string, limit: number): Promise<Buffer> {
  const file = await resolveInside(tree, name);
  try {
    const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
    try {
      requireFile(await handle.stat(), name);
      return await readUpTo(handle, name, limit);
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw explain(error, name);
  }
}

async function readUpTo(handle: Awaited<ReturnType<typeof open>>, name: string, limit: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  // What is read counts, and not what stat says: files of /proc say 0, and others grow meanwhile.
  for (let left = limit + 1; ;) {
    const { bytesRead, buffer } = await handle.read(
      Buffer.alloc(Math.min(left, 256 * 1024)),
      0,
      Math.min(left, 256 * 1024),
      null,
    );
    if (bytesRead === 0) return Buffer.concat(pieces);
    pieces.push(buffer.subarray(0, bytesRead));
    left -= bytesRead;
    if (left <= 0) throw new WorkError('too_large', `${name} has more than ${limit} bytes.`);
  }
}

export async function readText(
  tree: string,
  name: string,
  {
    offset_lines: offset = 0,
    limit_lines: limit = Number.MAX_SAFE_INTEGER,
  }: { offset_lines?: number; limit_lines?: number },
): Promise<{ text: string; total_lines: number; bytes: number }> {
  const bytes = await readWhole(tree, name, MAX_FILE_BYTES);
  const lines = splitLines(decode(bytes, name));
  const text = lines.slice(offset, offset + limit).join('');
  if (Buffer.byteLength(text) > MAX_TEXT)
    throw new WorkError(
      'too_large',
      `${name} has ${lines.length} lines, and those are more than ${MAX_TEXT} bytes. Read fewer lines at once.`,
    );
  return { text, total_lines: lines.length, bytes: bytes.length };
}

/** Each with its line break. */
function splitLines(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

function decode(bytes: Buffer, name: string): string {
  const refuse = (cause?: unknown): WorkError => new WorkError('binary', `${name} is not a text in UTF-8.`, { cause });
  if (bytes.includes(0)) throw refuse();
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw refuse(cause);
  }
}

/** Others see the old file or the new one. A link is followed within the tree; the file keeps its mode. */
export async function writeText(tree: string, name: string, text: string | Buffer): Promise<{ created: boolean }> {
  const file = await resolveInside(tree, name);
  const folder = path.dirname(file);
  const draft = path.join(folder, `.${randomUUID()}.new`);
  try {
    const found = await stat(file).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (found !== undefined) requireFile(found, name);
    await mkdir(folder, { recursive: true });
    const handle = await open(draft, 'wx', 0o666);
    try {
      await handle.writeFile(text);
    } finally {
      await handle.close();
    }
    if (found !== undefined) await chmod(draft, found.mode & 0o7777);
    await rename(draft, file);
    return { created: found === undefined };
  } catch (error) {
    await rm(draft, { force: true });
    throw explain(error, name);
  }
}

/** All of the edits, one after the other, or none. */
export async function editText(
  tree: string,
  name: string,
  edits: z.infer<typeof Edits>,
): Promise<{ replaced: number }> {
  let text = decode(await readWhole(tree, name, MAX_FILE_BYTES), name);
  let replaced = 0;
  for (const [index, { old, new: replacement, all = false }] of edits.entries()) {
    const parts = text.split(old);
    const count = parts.length - 1;
    const which = edits.length === 1 ? '' : ` (edit ${index + 1} of ${edits.length})`;
    if (count === 0)
      throw new WorkError(
        'no_match',
        `${name} does not have the text that is to be replaced${which}. Nothing was changed.`,
      );
    if (count > 1 && !all)
      throw new WorkError(
        'ambiguous',
        `${name} has the text that is to be replaced ${count} times${which}. Give more of what is around it, or replace all. Nothing was changed.`,
      );
    text = parts.join(replacement);
    replaced += count;
  }
  await writeText(tree, name, text);
  return { replaced };
}

function requireFile(found: Stats, name: string): void {
  if (found.isDirectory()) throw new WorkError('is_folder', `${name} is a folder.`);
  if (!found.isFile()) throw new WorkError('special', `${name} is not a file: a pipe, a device or a socket.`);
}
