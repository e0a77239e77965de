import type { Socket } from 'node:net';
import { SpoqError } from '../../contract/errors.ts';
import type { Problem } from '../../contract/problem.ts';

/**
 * One connection to `conductor files` is one request: its description in JSON behind its length, then the body as it is until the
 * caller ends its half. The answer looks the same. (bun's HTTP server can't listen on a socket that systemd has opened.)
 */
export interface FilesRequest {
  operation: 'list' | 'scan' | 'contents' | 'fetch' | 'apply' | 'watch' | 'snapshot';
  workspace: string;
  /** What the operation is told besides the body. */
  parameters?: unknown;
  /** How the body is packed. */
  encoding?: 'zstd' | undefined;
}

export type FilesAnswer = { ok: true; value?: unknown } | { ok: false; problem: Problem };

const MAX_HEAD_BYTES = 4 * 1024 * 1024;

export function encodeEnvelope(head: FilesRequest | FilesAnswer): Buffer {
  const json = Buffer.from(JSON.stringify(head));
  const frame = Buffer.allocUnsafe(4 + json.length);
  frame.writeUInt32BE(json.length, 0);
  json.copy(frame, 4);
  return frame;
}

/** Reads the description; what came behind it is put back. `undefined` when the other side says nothing; rejects when it ends in the middle. */
export function readEnvelope(socket: Socket, mostBytes = MAX_HEAD_BYTES): Promise<unknown> {
  return new Promise((resolve, reject) => {
    let pending: Buffer[] = [];
    let held = 0;
    const stop = (): void => {
      socket.off('data', onData).off('end', onEnd).off('close', onEnd).off('error', onError);
    };
    const fail = (error: Error): void => {
      stop();
      reject(error);
    };
    const onEnd = (): void => {
      if (held > 0) return fail(new Error('the connection ended in its description'));
      stop();
      resolve(undefined);
    };
    const onError = (error: Error): void => fail(error);
    const onData = (chunk: Buffer): void => {
      pending.push(chunk);
      held += chunk.length;
      if (held < 4) return;
      const all = Buffer.concat(pending);
      pending = [all];
      const length = all.readUInt32BE(0);
      if (length > mostBytes) return fail(new SpoqError('body_too_large', { detail: 'The description is too long.' }));
      if (held < 4 + length) return;
      socket.pause();
      stop();
      const rest = all.subarray(4 + length);
      if (rest.length > 0) socket.unshift(rest);
      try {
        resolve(JSON.parse(all.toString('utf8', 4, 4 + length)));
      } catch (error) {
        reject(new Error('the description is not JSON', { cause: error }));
      }
    };
    socket.on('data', onData).on('end', onEnd).on('close', onEnd).on('error', onError);
    socket.resume();
  });
}
