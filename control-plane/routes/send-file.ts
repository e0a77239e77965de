import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import type { Context } from 'koa';

/** The bytes from `start` to `end`, both inclusive. */
export interface ByteRange {
  start: number;
  end: number;
}

/**
 * Reads `Range` (RFC 9110 §14.2) for a body of `size` bytes. Only single ranges are served: of several, of other units and of what
 * can't be read nothing is made, and the whole body is the answer (undefined).
 */
export function parseRange(header: string | undefined, size: number): ByteRange | 'unsatisfiable' | undefined {
  const [, first = '', last = ''] = /^bytes=\s*(\d*)-(\d*)\s*$/i.exec(header ?? '') ?? [];
  if (first === '' && last === '') return undefined;
  if (first === '') return Number(last) === 0 || size === 0 ? 'unsatisfiable' : suffix(Number(last), size);
  if (last !== '' && Number(last) < Number(first)) return undefined;
  if (Number(first) >= size) return 'unsatisfiable';
  return { start: Number(first), end: last === '' ? size - 1 : Math.min(Number(last), size - 1) };
}

const suffix = (length: number, size: number): ByteRange => ({ start: Math.max(0, size - length), end: size - 1 });

/** Answers a file's SHA-256; remembers it as long as the file stays the same. */
export type FileDigests = (path: string, handle: FileHandle) => Promise<string>;

export function createFileDigests(): FileDigests {
  const known = new Map<string, { state: string; digest: Promise<string> }>();
  return async (path, handle) => {
    const { dev, ino, size, mtimeMs } = await handle.stat();
    const state = [dev, ino, size, mtimeMs].join();
    const found = known.get(path);
    if (found?.state === state) return found.digest;
    const digest = digestFile(path);
    known.set(path, { state, digest });
    digest.catch(() => known.delete(path));
    return digest;
  };
}

/** By a handle of its own: the given one may be closed before all is read, when its client leaves. */
async function digestFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  const handle = await open(path);
  for await (const chunk of handle.createReadStream()) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

export interface SentFile {
  path: string;
  type: string;
  cacheControl: string;
}

/**
 * Answers GET and HEAD with a file: strong ETag from its SHA-256, 304, and single ranges with `If-Range` (206, 416). False when
 * there is no such file.
 */
export async function sendFile(
  ctx: Context,
  { path, type, cacheControl }: SentFile,
  digests: FileDigests,
): Promise<boolean> {
  const handle = await open(path).catch(() => undefined);
  if (handle === undefined) return false;
  let isStreamed = false;
  try {
    const info = await handle.stat();
    if (!info.isFile()) return false;
    ctx.set({ 'Cache-Control': cacheControl, 'Accept-Ranges': 'bytes' });
    ctx.etag = await digests(path, handle);
    ctx.lastModified = info.mtime;
    ctx.type = type;
    ctx.status = 200; // only an answer that is fine can be fresh
    if (ctx.fresh) {
      ctx.status = 304;
      return true;
    }
    ctx.length = info.size;
    if (ctx.method === 'HEAD') return true;
    const range = isRangeWanted(ctx) ? parseRange(ctx.get('Range'), info.size) : undefined;
    if (range === 'unsatisfiable') {
      ctx.status = 416;
      ctx.set('Content-Range', `bytes */${info.size}`);
      ctx.body = '';
      return true;
    }
    if (range !== undefined) {
      ctx.status = 206;
      ctx.set('Content-Range', `bytes ${range.start}-${range.end}/${info.size}`);
    }
    isStreamed = true;
    ctx.body = handle.createReadStream(range);
    if (range !== undefined) ctx.length = range.end - range.start + 1;
    else ctx.length = info.size;
    return true;
  } finally {
    if (!isStreamed) await handle.close();
  }
}

/** `If-Range` holds with the very ETag; a date never does, since two releases may be of the same second. */
function isRangeWanted(ctx: Context): boolean {
  const condition = ctx.get('If-Range');
  return condition === '' || condition === ctx.response.get('ETag');
}
