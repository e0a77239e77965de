import { zstdCompress, constants } from 'node:zlib';
import { promisify } from 'node:util';
import type { z } from 'zod';
import { SpoqError } from '../../contract/errors.ts';
import {
  ApplyAnswer,
  ContentsAnswer,
  FRAMES_TYPE,
  ScanAnswer,
  SnapshotAnswer,
  SYNC_LIMITS,
} from '../../contract/workspaces.ts';
import type { ApplyRequest, ContentsRequest, ScanRequest } from '../../contract/workspaces.ts';
import { createFrameReader, encodeHead } from '../../sync/frames.ts';
import type { Piece } from '../../sync/frames.ts';
import { callBox } from '../box/connection.ts';
import type { BoxAccess, BoxRequest } from '../box/connection.ts';
import type { OnWait } from '../box/patience.ts';
import type { CliDeps } from '../deps.ts';
import { asUnreachable } from '../http/failure.ts';
import { parseJson } from '../http/problem.ts';

/** A workspace as the laptop sees it. */
export interface BoxWorkspace {
  scan(request: ScanRequest): Promise<ScanAnswer>;
  /** Sends contents, as frames; says how long it took. */
  send(frames: Uint8Array, packed: boolean): Promise<ContentsAnswer & { ms: number }>;
  fetch(request: ContentsRequest, onPiece: (piece: Piece) => void): Promise<void>;
  apply(request: ApplyRequest, pieces: Uint8Array[]): Promise<ApplyAnswer>;
  snapshot(): Promise<SnapshotAnswer>;
}

const pack = promisify(zstdCompress);
/** A sixth less than level 1 leaves, and with two at a time still several times as fast as a good line. */
const PACKING = { params: { [constants.ZSTD_c_compressionLevel]: 3 } };
/** Packing less is more work than sending it. */
const MIN_PACKED_BYTES = 4096;

/** The workspace `name` of a box. */
export function openBoxWorkspace(deps: CliDeps, box: BoxAccess, name: string, onWait: OnWait): BoxWorkspace {
  const at = (what: string): string => `/api/workspaces/${name}/${what}`;
  const call = async (request: Omit<BoxRequest, 'method' | 'accept' | 'keepAlive'>) => {
    const whole = { method: 'POST', accept: 'application/json', keepAlive: true, ...request } as const;
    return callBox(deps, box, whole, onWait);
  };
  const ask = async <T>(
    schema: z.ZodType<T>,
    request: Omit<BoxRequest, 'method' | 'accept' | 'keepAlive'>,
  ): Promise<T> => {
    const response = await call(request);
    const text = await response.text(SYNC_LIMITS.head_bytes).catch((error: unknown) => {
      throw asUnreachable('box_unreachable', error);
    });
    const answer = schema.safeParse(parseJson(text));
    if (answer.success) return answer.data;
    throw new SpoqError('box_unreachable', { detail: `${box.url.hostname} answered, but not as a box does.` });
  };
  const encode = async (frames: Uint8Array, packed: boolean) => {
    if (!packed || frames.length < MIN_PACKED_BYTES) return { type: FRAMES_TYPE, body: frames };
    return { type: FRAMES_TYPE, encoding: 'zstd', body: await pack(frames, PACKING) };
  };
  return {
    scan: (request) => ask(ScanAnswer, { path: at('scan'), body: JSON.stringify(request) }),
    async send(frames, packed) {
      const begin = performance.now();
      const answer = await ask(ContentsAnswer, { path: at('contents'), ...(await encode(frames, packed)) });
      return { ...answer, ms: performance.now() - begin };
    },
    async fetch(request, onPiece) {
      const response = await call({ path: at('fetch'), body: JSON.stringify(request) });
      const reader = createFrameReader(() => undefined, onPiece);
      try {
        for await (const chunk of response.chunks()) reader.push(chunk);
        reader.end();
      } catch (error) {
        throw asUnreachable('box_unreachable', error);
      }
    },
    apply: async (request, pieces) =>
      ask(ApplyAnswer, {
        path: at('apply'),
        ...(await encode(Buffer.concat([encodeHead(request), ...pieces]), true)),
      }),
    snapshot: () => ask(SnapshotAnswer, { path: at('snapshot'), body: '{}' }),
  };
}
