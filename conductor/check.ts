import { once } from 'node:events';
import { request } from 'node:http';
import type { IncomingMessage, RequestOptions } from 'node:http';
import { json } from 'node:stream/consumers';
import { setTimeout as wait } from 'node:timers/promises';
import { BoxHealth } from '../contract/conductor.ts';
import { SpoqError } from '../contract/errors.ts';

export interface CheckOptions {
  port: number;
  socket: string;
  /** How long to go on asking. 0 asks once. */
  waitMs: number;
  /** False once there is nothing left to wait for. */
  isAlive: () => boolean;
}

const PAUSE_MS = 50;
const TRY_MS = 2_000;

/**
 * Asks for /health on both listeners until both answer, and says with which version. Throws `not_ready` when the time is
 * over or nobody is there any more.
 */
export async function checkConductor({ port, socket, waitMs, isAlive }: CheckOptions): Promise<string> {
  const deadline = performance.now() + waitMs;
  const places: [string, RequestOptions][] = [
    [`127.0.0.1:${port}`, { host: '127.0.0.1', port }],
    [socket, { socketPath: socket }],
  ];
  for (;;) {
    try {
      let version = '';
      for (const [name, target] of places) version = await askHealth(name, target);
      return version;
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (!isAlive()) throw refuse('The conductor has ended.', error);
      if (performance.now() >= deadline) throw refuse(`The conductor does not answer: ${message}.`, error);
    }
    await wait(PAUSE_MS);
  }
}

async function askHealth(name: string, target: RequestOptions): Promise<string> {
  const signal = AbortSignal.timeout(TRY_MS);
  const outgoing = request({ ...target, path: '/health', headers: { host: 'localhost' }, agent: false, signal });
  outgoing.end();
  try {
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
    if (incoming.statusCode !== 200) throw new Error(`status ${incoming.statusCode}`);
    return BoxHealth.parse(await json(incoming)).version;
  } catch (error) {
    throw new Error(`${name}: ${describe(error)}`, { cause: error });
  } finally {
    outgoing.destroy();
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'AbortError' || error.name === 'TimeoutError') return `nothing within ${TRY_MS / 1000} s`;
  if (error.name === 'ZodError' || error.name === 'SyntaxError') return 'something else answers there';
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}

function refuse(detail: string, cause: unknown): SpoqError {
  return new SpoqError('not_ready', { detail, next: 'Its log says why: journalctl -u conductor', cause });
}
