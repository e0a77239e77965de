import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream';
import { SpoqError } from '../../contract/errors.ts';
import type { ErrorCode } from '../../contract/errors.ts';
import { ERRORS } from '../../contract/errors.ts';
import { Problem } from '../../contract/problem.ts';
import { encodeEnvelope, readEnvelope } from './envelope.ts';
import type { FilesAnswer, FilesRequest } from './envelope.ts';

/** The conductor's way to the owner's files. */
export interface Files {
  /** Sends a request, with a body where there is one, and returns what is told in answer and the stream behind it. */
  call(request: FilesRequest, body?: Readable): Promise<{ value: unknown; stream: Readable; close(): void }>;
}

/** A description of a whole tree. */
const MAX_ANSWER_BYTES = 128 * 1024 * 1024;

/** `socket`: where `conductor files` listens; undefined where a box has none. */
export function createFiles(socket: string | undefined): Files {
  return {
    async call(request, body) {
      if (socket === undefined)
        throw new SpoqError('files_unavailable', { detail: 'This box was set up without a place for files.' });
      const connection = await open(socket);
      connection.write(encodeEnvelope(request));
      if (body === undefined) connection.end();
      else
        // A body that is cut ends the request: what had arrived is kept there.
        pipeline(body, connection, () => undefined);
      try {
        const answer = (await readEnvelope(connection, MAX_ANSWER_BYTES)) as FilesAnswer | undefined;
        if (answer === undefined) throw new Error('it ended without an answer');
        if (!answer.ok) throw toError(answer.problem);
        return { value: answer.value, stream: connection, close: () => connection.destroy() };
      } catch (error) {
        connection.destroy();
        if (error instanceof SpoqError) throw error;
        throw new SpoqError('files_unavailable', {
          detail: 'The program that keeps the files has ended.',
          retryAfterSeconds: 2,
          cause: error,
        });
      }
    },
  };
}

function open(path: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path, allowHalfOpen: true });
    socket.once('connect', () => resolve(socket));
    socket.once('error', (cause) => {
      reject(
        new SpoqError('files_unavailable', {
          detail: 'The program that keeps the files does not listen.',
          retryAfterSeconds: 2,
          cause,
        }),
      );
      socket.on('error', () => undefined);
    });
  });
}

function toError(value: unknown): SpoqError {
  const problem = Problem.safeParse(value);
  if (!problem.success || !Object.hasOwn(ERRORS, problem.data.code)) return new SpoqError('internal');
  const { code, detail, next_step: next, errors } = problem.data;
  return new SpoqError(code as ErrorCode, { detail, next, faults: errors ?? [] });
}
