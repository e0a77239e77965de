import { expect } from 'chai';
import type { ConversationEvent } from '../../contract/conversation.ts';
import type { HttpResponse } from '../http/client.ts';
import { ConnectionFailure } from '../http/failure.ts';
import { TEST_START as START } from '../testing/fake-server.ts';
import { readAnswer } from './answer.ts';

const DONE: ConversationEvent = { type: 'done', stop_reason: 'stop', input_tokens: null, output_tokens: 3 };
const text = (words: string): ConversationEvent => ({ type: 'text', text: words });
const line = (event: unknown): string => `data: ${JSON.stringify(event)}\n\n`;

async function read(pieces: (string | Buffer | Error)[]): Promise<{ events: ConversationEvent[]; error: unknown }> {
  const chunks = async function* (): AsyncGenerator<Uint8Array> {
    for (const piece of pieces) {
      if (piece instanceof Error) throw piece;
      yield Buffer.from(piece);
    }
  };
  const response: HttpResponse = { status: 200, header: () => undefined, chunks, text: () => Promise.resolve('') };
  const events: ConversationEvent[] = [];
  try {
    for await (const event of readAnswer(response, 'alice.spoq.dev')) events.push(event);
    return { events, error: undefined };
  } catch (error) {
    return { events, error };
  }
}

describe('readAnswer', () => {
  it('reads events, wherever the bytes were cut, and ends with done', async () => {
    const events = [START, text('grüße 👋'), DONE];
    const bytes = Buffer.from(`: still here\n\n${events.map(line).join('')}${line(text('too late'))}`);
    const single = [...bytes].map((byte) => Buffer.from([byte]));
    expect(await read(single)).to.deep.equal({ events, error: undefined });
    expect(await read([bytes])).to.deep.equal({ events, error: undefined });
  });

  it('leaves out events of kinds that it does not know', async () => {
    expect(await read([line({ type: 'thinking' }), line(DONE)])).to.deep.equal({ events: [DONE], error: undefined });
  });

  const INCOMPLETE: [string, (string | Error)[], string][] = [
    [
      'ends too early',
      [line(START), line(text('half'))],
      'alice.spoq.dev ended the stream before the answer was complete.',
    ],
    [
      'breaks off',
      [line(START), new ConnectionFailure('alice.spoq.dev', 'closed the connection')],
      'alice.spoq.dev closed the connection before the answer was complete.',
    ],
    ['holds no JSON', ['data: {oops\n\n'], 'The box sent an event that cannot be read.'],
    [
      'has no end of an event',
      ['data: ', 'x'.repeat(1_100_000)],
      'alice.spoq.dev sent something that is not an answer.',
    ],
  ];
  for (const [name, pieces, detail] of INCOMPLETE) {
    it(`says that the answer is incomplete when the stream ${name}`, async () => {
      expect((await read(pieces)).error).to.include({ code: 'answer_incomplete', exit: 69, detail });
    });
  }
});
