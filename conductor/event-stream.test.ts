import { expect } from 'chai';
import { once } from 'node:events';
import { get } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import type { NumberedEvent } from './conversations/event-log.ts';
import { writeEvents } from './event-stream.ts';
import { serve } from './testing/serve.ts';
import { waitUntil } from './testing/wait-until.ts';

const LIMITS = { heartbeatMs: 10_000, readerMs: 10_000 };
/** Some 20 MB: more than lies between two ends of a connection. */
const COUNT = 20_000;

describe('a stream of events', () => {
  let told: number;
  let isLeft: boolean;
  let settled: unknown;

  async function* tell(fault?: Error): AsyncGenerator<NumberedEvent> {
    try {
      for (; told < COUNT; told += 1) {
        yield { number: told === 0 ? null : told, turn: 1, event: { type: 'text', text: 'x'.repeat(1_000) } };
        if (fault !== undefined) throw fault;
      }
    } finally {
      isLeft = true;
    }
  }
  async function open(fault?: Error): Promise<{ response: IncomingMessage; close(): Promise<void> }> {
    [told, isLeft, settled] = [0, false, undefined];
    const server = await serve((_req, res) => {
      res.flushHeaders();
      writeEvents(res, tell(fault), LIMITS).then(
        () => (settled = 'ended'),
        (error: unknown) => {
          settled = error;
          res.destroy();
        },
      );
    });
    const [response] = (await once(get(server.url, { agent: false }), 'response')) as [IncomingMessage];
    return { response, close: () => server.close() };
  }

  it('waits for a reader that is slow, and is whole', async () => {
    const { response, close } = await open();
    try {
      response.pause();
      await sleep(100);
      expect(told < COUNT / 2).to.equal(true);
      const lines = (await text(response)).split('\n');
      const ids = lines.filter((line) => line.startsWith('id: ')).map((line) => Number(line.slice(4)));
      expect(ids).to.deep.equal(Array.from({ length: COUNT - 1 }, (_one, index) => index + 1));
      expect(lines.filter((line) => line === 'event: text').length).to.equal(COUNT);
      expect(settled).to.equal('ended');
    } finally {
      await close();
    }
  });

  it('lets go of the events when its reader has gone', async () => {
    const { response, close } = await open();
    try {
      response.destroy();
      await waitUntil('it has let go', () => isLeft);
      expect([settled, told < COUNT]).to.deep.equal(['ended', true]);
    } finally {
      await close();
    }
  });

  it('says what went wrong with the events', async () => {
    const fault = new Error('the disk');
    const { response, close } = await open(fault);
    try {
      await text(response).catch(() => undefined);
      await waitUntil('it has failed', () => settled !== undefined);
      expect(settled).to.equal(fault);
    } finally {
      await close();
    }
  });
});
