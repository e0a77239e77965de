import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { open, realpath, rename, rm } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { SpoqError } from '../../contract/errors.ts';
import type { ReleasedFile } from '../../contract/release.ts';
import type { CliDeps } from '../deps.ts';
import { asUnreachable } from '../http/failure.ts';

/** It only prints its version; a laptop that is busy may need a while to read a hundred megabytes. */
const TRY_MS = 30_000;

export interface NewExecutable {
  version: string;
  file: ReleasedFile;
  /** What to type to try again as somebody else. */
  again: string;
  /** The body of the download. */
  chunks: AsyncIterable<Uint8Array>;
}

/**
 * Puts the download in the place of the program at `path`: written beside it, compared with size and digest, tried, and renamed
 * over it. Whatever fails, the old one is there, whole, and nothing else.
 * @throws SpoqError `release_invalid`, `file_unusable`, `control_plane_unreachable`, `cancelled`.
 */
export async function replaceExecutable(
  deps: Pick<CliDeps, 'platform' | 'signal'>,
  path: string,
  { version, file, again, chunks }: NewExecutable,
): Promise<void> {
  const target = await realpath(path);
  const draft = join(dirname(target), `.spoq-upgrade-${randomBytes(6).toString('hex')}`);
  try {
    const handle = await openDraft(draft, target, again);
    try {
      await writeVerified(handle, file, chunks);
    } finally {
      await handle.close();
    }
    await tryExecutable(draft, version, deps.signal);
    await swap(deps.platform, draft, target);
  } catch (error) {
    await rm(draft, { force: true });
    throw error instanceof SpoqError ? error : describeFailure(error, target);
  }
}

async function openDraft(draft: string, target: string, again: string): Promise<FileHandle> {
  try {
    return await open(draft, 'wx', 0o755);
  } catch (cause) {
    throw new SpoqError('file_unusable', {
      detail: `${dirname(target)} cannot be written, so ${target} was left as it is.`,
      next: `Run it as somebody who may write there: ${again}`,
      cause,
    });
  }
}

async function writeVerified(handle: FileHandle, file: ReleasedFile, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  const hash = createHash('sha256');
  let size = 0;
  try {
    for await (const chunk of chunks) {
      size += chunk.length;
      if (size > file.size) break;
      hash.update(chunk);
      await handle.writeFile(chunk);
    }
  } catch (error) {
    throw asUnreachable('control_plane_unreachable', error);
  }
  if (size !== file.size || hash.digest('hex') !== file.sha256)
    throw new SpoqError('release_invalid', { detail: `${file.name} is not what was signed.` });
  await handle.sync();
}

/** Whether it runs here and is what it is called: the old one knows, before it goes. */
async function tryExecutable(draft: string, version: string, signal: AbortSignal): Promise<void> {
  const said = await promisify(execFile)(draft, ['--version'], { timeout: TRY_MS, signal, env: {} }).then(
    ({ stdout }) => stdout.trim(),
    (cause: unknown) => {
      signal.throwIfAborted();
      throw new SpoqError('release_invalid', {
        detail: `spoq ${version} does not run on this computer.`,
        next: 'The one you have was kept. Tell us which system this is.',
        cause,
      });
    },
  );
  if (said !== version)
    throw new SpoqError('release_invalid', { detail: `What was signed as spoq ${version} calls itself ${said}.` });
}

/** Windows lets a running program be renamed, but not replaced. */
async function swap(platform: string, draft: string, target: string): Promise<void> {
  if (platform !== 'win32') return rename(draft, target);
  const old = `${target}.old`;
  await rm(old, { force: true });
  await rename(target, old);
  await rename(draft, target).catch(async (error: unknown) => {
    await rename(old, target);
    throw error;
  });
}

function describeFailure(cause: unknown, target: string): SpoqError {
  const isFull = typeof cause === 'object' && cause !== null && 'code' in cause && cause.code === 'ENOSPC';
  return new SpoqError('file_unusable', {
    detail: `${isFull ? 'The disk is full' : 'The new spoq cannot be written'}, so ${target} was left as it is.`,
    cause,
  });
}
