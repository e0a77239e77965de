import { setTimeout as sleep } from 'node:timers/promises';
import { createParser } from 'eventsource-parser';
import { VpsEvent, VpsResource } from '../../contract/vps.ts';
import type { Person } from './person.ts';

export interface Progress {
  events: VpsEvent[];
  status: string;
  /** The number after which the stream was opened for the second time. */
  resumedAt: number;
}

const DEADLINE_MS = 150_000;
/** Enough to have seen something, too few for the box to be ready. */
const FIRST_PART = 2;
const RECONNECT_MS = 100;

/**
 * Follows a box until it is ready or has failed. Hangs up once on the way and goes on with `Last-Event-ID`, as a browser does
 * that was reloaded or lost its connection.
 */
export async function watchProgress(person: Person, url: string): Promise<Progress> {
  const events: VpsEvent[] = [];
  let status = '';
  const read = async (lastId: number | undefined, isEnough: () => boolean): Promise<void> => {
    const abort = new AbortController();
    const late = setTimeout(
      () => abort.abort(new Error(`the box is not ready after ${DEADLINE_MS / 1000} s`)),
      DEADLINE_MS,
    );
    const headers = {
      accept: 'text/event-stream',
      ...(lastId === undefined ? {} : { 'last-event-id': String(lastId) }),
    };
    try {
      const response = await person.open(url, headers, abort.signal);
      if (!response.ok || response.body === null) throw new Error(`${url} answered ${response.status}`);
      const parser = createParser({
        onEvent(event) {
          if (event.event === 'progress') events.push(VpsEvent.parse(JSON.parse(event.data)));
          if (event.event === 'status') ({ status } = VpsResource.parse(JSON.parse(event.data)));
        },
      });
      const decoder = new TextDecoder();
      for await (const chunk of response.body) {
        parser.feed(decoder.decode(chunk as Uint8Array, { stream: true }));
        if (isEnough()) return;
      }
    } finally {
      clearTimeout(late);
      abort.abort();
    }
  };
  const isOver = (): boolean => ['ready', 'failed', 'terminated'].includes(status);
  await read(undefined, () => events.length >= FIRST_PART || isOver());
  const resumedAt = events.at(-1)?.seq ?? 0;
  // A browser whose line is cut connects again by itself.
  for (const until = Date.now() + DEADLINE_MS; !isOver() && Date.now() < until; await sleep(RECONNECT_MS)) {
    const last = events.at(-1)?.seq ?? 0;
    await read(last, isOver).catch((error: unknown) => {
      if (!(error instanceof TypeError)) throw error; // what fetch says of a line that was cut
    });
  }
  return { events, status, resumedAt };
}
