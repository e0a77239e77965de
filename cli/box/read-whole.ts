import type { CliDeps } from '../deps.ts';
import { asUnreachable, ConnectionFailure } from '../http/failure.ts';
import { callBox } from './connection.ts';
import type { BoxAccess, BoxRequest } from './connection.ts';
import type { OnWait } from './patience.ts';

/** A line that is cut so often in a row is none. */
const TRIES = 5;
const PAUSE_MS = 250;

/**
 * Asks the box and reads the whole answer; where the line is cut in the middle of it, again. For what only reads, and what may be done twice.
 * Throws what the box answers, or `box_unreachable`.
 */
export async function readWhole(deps: CliDeps, box: BoxAccess, request: BoxRequest, onWait: OnWait): Promise<Buffer> {
  for (let tries = 1; ; tries += 1) {
    try {
      const response = await callBox(deps, box, { ...request, repeatable: true }, onWait);
      const chunks: Uint8Array[] = [];
      for await (const chunk of response.chunks()) chunks.push(chunk);
      return Buffer.concat(chunks);
    } catch (error) {
      if (!(error instanceof ConnectionFailure) || tries === TRIES) throw asUnreachable('box_unreachable', error);
      await deps.sleep(PAUSE_MS, deps.signal);
    }
  }
}
