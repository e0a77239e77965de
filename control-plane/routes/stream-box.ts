import { PassThrough } from 'node:stream';
import type { Context } from 'koa';
import { SpoqError } from '../../contract/errors.ts';
import type { BoxListener } from '../db/listen-box.ts';
import { isOperating } from '../db/box-operations.ts';
import { findBox, type UserVpsRow } from '../db/user-vps.ts';
import { listVpsEvents } from '../db/vps-events.ts';
import type { Deps } from '../deps.ts';
import { findNotice } from '../commands/find-notice.ts';
import { presentVps, presentVpsEvent } from '../presenters/vps.ts';

/** A comment line so often keeps proxies and phones from taking the silence for the end. */
const HEARTBEAT_MS = 15_000;
/** Notices can be lost with their connection; then the database is asked. */
const POLL_MS = 3_000;
/** A person has a few tabs. */
const MAX_PER_USER = 8;
const MAX_STREAMS = 1_000;
const FINAL = new Set(['ready', 'failed', 'terminated']);

export interface BoxStreams {
  /** Answers with the box's progress after `seq` as server-sent events, until it is ready or has failed. */
  open(ctx: Context, box: UserVpsRow, seq: number): void;
}

/** The open streams of this process. */
export function createBoxStreams(deps: Pick<Deps, 'config' | 'db' | 'log' | 'now'>, listener: BoxListener): BoxStreams {
  const perUser = new Map<string, number>();
  let total = 0;
  const count = (userId: string, by: 1 | -1): void => {
    total += by;
    const now = (perUser.get(userId) ?? 0) + by;
    if (now > 0) perUser.set(userId, now);
    else perUser.delete(userId);
  };

  return {
    open(ctx, box, seq) {
      if ((perUser.get(box.user_id) ?? 0) >= MAX_PER_USER)
        throw new SpoqError('too_many_requests', { detail: 'Too many tabs watch this box.', retryAfterSeconds: 10 });
      if (total >= MAX_STREAMS)
        throw new SpoqError('not_ready', { detail: 'Too many people are watching just now.', retryAfterSeconds: 10 });
      const stream = new PassThrough();
      ctx.status = 200;
      ctx.type = 'text/event-stream';
      ctx.set('Cache-Control', 'no-store');
      ctx.set('X-Accel-Buffering', 'no');
      ctx.body = stream;
      count(box.user_id, 1);

      const write = createBoxWriter(deps, stream, box.id, seq);
      const pump = serialize(write, (err) => {
        deps.log.warn({ err, box_id: box.id }, 'a stream of progress has ended early');
        stream.end();
      });
      const unsubscribe = listener.subscribe(box.id, pump);
      const heartbeat = setInterval(() => stream.write(':\n\n'), HEARTBEAT_MS);
      const poll = setInterval(pump, POLL_MS);
      stream.once('close', () => {
        clearInterval(heartbeat);
        clearInterval(poll);
        unsubscribe();
        count(box.user_id, -1);
      });
      // Browsers wait so long before they connect again.
      stream.write('retry: 1000\n\n');
      pump();
    },
  };
}

/** Writes what is new about a box each time it is called, and ends the stream after the last there will be. */
function createBoxWriter(deps: Pick<Deps, 'config' | 'db' | 'now'>, stream: PassThrough, boxId: string, seq: number) {
  let last = seq;
  let told: string | undefined;
  return async (): Promise<void> => {
    if (stream.writableEnded || stream.destroyed) return;
    // The box first: the events that belong to its status were committed with it, so they are among those read next.
    const box = await findBox(deps.db, boxId);
    const events = await listVpsEvents(deps.db, boxId);
    if (stream.writableEnded || stream.destroyed) return;
    for (const event of events.filter((one) => one.seq > last)) {
      stream.write(`id: ${event.seq}\nevent: progress\ndata: ${JSON.stringify(presentVpsEvent(event))}\n\n`);
      last = event.seq;
    }
    if (box === undefined) {
      stream.end();
      return;
    }
    const now = `${box.status} ${box.operation} ${box.operation_failure}`;
    if (now !== told) {
      told = now;
      const notice = await findNotice(deps, { id: box.user_id });
      stream.write(`event: status\ndata: ${JSON.stringify(presentVps(deps.config, box, events, notice))}\n\n`);
    }
    if (FINAL.has(box.status) && !isOperating(box)) stream.end();
  };
}

/** Runs `work` once at a time; calls in the meantime make it run once more. */
function serialize(work: () => Promise<void>, onError: (error: unknown) => void): () => void {
  let running = false;
  let again = false;
  return function run(): void {
    if (running) {
      again = true;
      return;
    }
    running = true;
    work()
      .catch(onError)
      .finally(() => {
        running = false;
        if (!again) return;
        again = false;
        run();
      });
  };
}
