import { mkdirSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Readable } from 'node:stream';
import { createZstdDecompress } from 'node:zlib';
import { SpoqError } from '../../contract/errors.ts';
import { parseInput } from '../../contract/problem.ts';
import { ApplyRequest, ContentsRequest, FetchRequest, ScanRequest, SYNC_LIMITS } from '../../contract/workspaces.ts';
import type { ApplyAnswer, ContentsAnswer, ScanAnswer } from '../../contract/workspaces.ts';
import { applySteps } from '../../sync/apply.ts';
import { isEmptyTree } from '../../sync/entry.ts';
import { agreeOn, findBase, listChanges, toChanges } from '../../sync/changes.ts';
import { createFrameReader, encodeHead, encodePiece } from '../../sync/frames.ts';
import type { Piece } from '../../sync/frames.ts';
import { findContents } from '../../sync/listing.ts';
import { readPieces } from '../../sync/read-pieces.ts';
import { settleOnDisk } from '../../sync/settle.ts';
import { createTreeState, forgetBase } from '../../sync/tree-state.ts';
import { yieldTurn } from './workspaces.ts';
import type { Workspace } from './workspaces.ts';

/** What has changed here since both sides were the same. */
export async function scanWorkspace(workspace: Workspace, parameters: unknown): Promise<ScanAnswer> {
  const { folder, base, allow } = parseInput(ScanRequest, parameters);
  workspace.claim(folder);
  const { state } = workspace;
  const scan = await workspace.scan(allow);
  const agreed = findBase(state, base);
  const known = agreed ?? createTreeState().base;
  return {
    base_known: agreed !== undefined,
    changes: listChanges(known, scan),
    left_out: scan.left_out,
    staged: workspace.staging.list(),
    free_bytes: measureFree(workspace.home),
    vanished: isEmptyTree(scan.manifest) && (agreed ?? state.base).size > 0,
  };
}

/** Takes contents, and stages those that are what they claim to be. What was cut is kept. */
export async function takeContents(
  workspace: Workspace,
  body: Readable,
  encoding: 'zstd' | undefined,
): Promise<ContentsAnswer> {
  let intake: Intake | undefined;
  await readFrames(body, encoding, (head) => {
    const { folder, contents } = parseInput(ContentsRequest, head);
    workspace.mustBe(folder);
    intake = createIntake(workspace, contents);
    return intake.take;
  });
  return { rejected: intake?.rejected() ?? [] };
}

interface Intake {
  take(piece: Piece): void;
  rejected(): string[];
}

/** Takes what was announced, in that order, and not a byte more. */
function createIntake({ staging, home }: Workspace, contents: ContentsRequest['contents']): Intake {
  const announced = contents.reduce((sum, { size, offset }) => sum + Math.max(0, size - offset), 0);
  if (announced > measureFree(home)) throw new SpoqError('box_full', { detail: `${announced} bytes were to come.` });
  const sizes = new Map(contents.map(({ hash, size }) => [hash, size]));
  const rejected = new Set<string>();
  let left = Math.min(announced, SYNC_LIMITS.batch_bytes);
  return {
    take({ hash, offset, bytes }) {
      const size = sizes.get(hash);
      left -= bytes.length;
      if (size === undefined || left < 0)
        throw new SpoqError('invalid_request', { detail: 'More contents came than were announced.' });
      if (rejected.has(hash)) return;
      try {
        if (!staging.add(hash, size, offset, bytes)) rejected.add(hash);
      } catch (error) {
        throw explainDisk(error);
      }
    },
    rejected: () => [...rejected],
  };
}

function explainDisk(error: unknown): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return error;
  return new SpoqError('box_full', {
    detail: 'What had arrived before is kept; nothing in the workspace was changed by halves.',
    cause: error,
  });
}

/** Takes the steps, and remembers the state that both sides have then. */
export async function applyToWorkspace(
  workspace: Workspace,
  body: Readable,
  encoding: 'zstd' | undefined,
): Promise<ApplyAnswer> {
  const { state, staging, root } = workspace;
  let request: ApplyRequest | undefined;
  await readFrames(body, encoding, (head) => {
    request = parseInput(ApplyRequest, head);
    workspace.mustBe(request.folder);
    return createIntake(workspace, request.contents).take;
  });
  if (request === undefined) throw new SpoqError('invalid_request');
  const { base: base_id, next_base, more = false, steps, agreed } = request;
  const base = findBase(state, base_id);
  if (base === undefined && base_id !== null)
    throw new SpoqError('workspace_changed', { detail: 'Another sync came in between.' });
  mkdirSync(dirname(root), { recursive: true });
  mkdirSync(root, { recursive: true, mode: 0o755 });
  if (state.rows.size === 0) await workspace.scan(state.allow);
  try {
    const { done, refused } = await applySteps(steps, { root, rows: state.rows, staging, pause: yieldTurn });
    if (done.length > 0 && !more) await settleOnDisk(root);
    if (base === undefined) forgetBase(state);
    agreeOn(state, base ?? state.base, next_base, [...agreed, ...toChanges(done)]);
    return { refused };
  } catch (error) {
    throw explainDisk(error);
  } finally {
    workspace.settle(more ? 'later' : 'soon');
  }
}

/** Contents for the other side, each from where it has them. What has changed since is left out. */
export async function* sendContents(workspace: Workspace, request: unknown): AsyncGenerator<Uint8Array> {
  const { folder, contents } = parseInput(FetchRequest, request);
  workspace.mustBe(folder);
  const places = findContents(workspace.state.rows, new Set(contents.map(({ hash }) => hash)));
  yield encodeHead({ contents: contents.filter(({ hash }) => places.has(hash)) });
  for (const { hash, size, offset } of contents) {
    const path = places.get(hash);
    if (path === undefined) continue;
    for (const piece of readPieces(`${workspace.root}/${path}`, hash, size, offset)) yield* encodePiece(piece);
  }
}

/** Reads a body of frames; `onHead` looks at the description and says who takes the pieces. */
async function readFrames(
  body: Readable,
  encoding: 'zstd' | undefined,
  onHead: (head: unknown) => (piece: Piece) => void,
): Promise<void> {
  let take: ((piece: Piece) => void) | undefined;
  const reader = createFrameReader(
    (head) => {
      take = onHead(head);
    },
    (piece) => take?.(piece),
  );
  const most = SYNC_LIMITS.head_bytes + 2 * SYNC_LIMITS.batch_bytes;
  let bytes = 0;
  // The connection stays: who is refused hears why.
  const stream = encoding === 'zstd' ? body.pipe(createZstdDecompress()) : body;
  try {
    for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
      bytes += (chunk as Buffer).length;
      if (bytes > most)
        throw new SpoqError('body_too_large', { detail: 'Unpacked, it is more than one request may hold.' });
      reader.push(chunk as Buffer);
    }
  } catch (error) {
    if (!/^(ERR_)?ZSTD|^Z_/.test((error as NodeJS.ErrnoException).code ?? '')) throw error;
    throw new SpoqError('invalid_request', { detail: 'The body is not zstd.', cause: error });
  } finally {
    if (stream !== body) stream.destroy();
  }
  reader.end();
}

/** What may still be written. The root of the disk keeps a reserve, whoever asks. */
function measureFree(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return Math.max(0, bavail * bsize - SYNC_LIMITS.reserve_bytes);
}
