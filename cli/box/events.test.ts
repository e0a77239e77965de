import { expect } from 'chai';
import type { ConversationEvent } from '../../contract/conversation.ts';
import type { HttpResponse } from '../http/client.ts';
import { ConnectionFailure } from '../http/failure.ts';
import { TEST_START as START } from '../testing/fake-server.ts';
import { readEvents } from './events.ts';
import type { NumberedEvent } from './events.ts';

const DONE: ConversationEvent = { type: 'done', stop_reason: 'stop', input_tokens: null, output_tokens: 3 };
const text = (words: string): ConversationEvent => ({ type: 'text', text: words });
const line = (event: unknown, id = 1): string => `id: ${id}\ndata: ${JSON.stringify(event)}\n\n`;

async function read(pieces: (string | Buffer | Error)[]): Promise<{ events: NumberedEvent[]; error: unknown }> {
  const chunks = async function* (): AsyncGenerator<Uint8Array> {
    for (const piece of pieces) {
      if (piece instanceof Error) throw piece;
      yield Buffer.from(piece);
    }
  };
  const response: HttpResponse = { status: 200, header: () => undefined, chunks, text: () => Promise.resolve('') };
  const events: NumberedEvent[] = [];
  try {
    for await (const event of readEvents(response, 'alice.spoq.dev')) events.push(event);
    return { events, error: undefined };
  } catch (error) {
    return { events, error };
  }
}

describe('readEvents', () => {
  it('reads events and their numbers, wherever the bytes were cut', async () => {
    const events = [START, text('grüße 👋'), DONE];
    const bytes = Buffer.from(`: still here\n\n${events.map((event, index) => line(event, index + 1)).join('')}`);
    const single = [...bytes].map((byte) => Buffer.from([byte]));
    const expected = { events: events.map((event, index) => ({ number: index + 1, event })), error: undefined };
    expect(await read(single)).to.deep.equal(expected);
    expect(await read([bytes])).to.deep.equal(expected);
  });

  it('numbers also events of kinds that it does not know, and knows which have none', async () => {
    const bytes = [line({ type: 'thinking' }, 7), `data: ${JSON.stringify(DONE)}\n\n`];
    expect(await read(bytes)).to.deep.equal({
      events: [
        { number: 7, event: undefined },
        { number: null, event: DONE },
      ],
      error: undefined,
    });
  });

  it('throws when the line is lost', async () => {
    const lost = new ConnectionFailure('alice.spoq.dev', 'closed the connection');
    expect(await read([line(START), lost])).to.deep.equal({ events: [{ number: 1, event: START }], error: lost });
  });

  for (const [name, pieces, detail] of [
    ['holds no JSON', ['data: {oops\n\n'], 'The box sent an event that cannot be read.'],
    [
      'has no end of an event',
      ['data: ', 'x'.repeat(4_300_000)],
      'alice.spoq.dev sent something that is not an answer.',
    ],
  ] as const) {
    it(`says that it is no answer when the stream ${name}`, async () => {
      expect((await read([...pieces])).error).to.include({ code: 'answer_incomplete', exit: 69, detail });
    });
  }
});
