import { expect } from 'chai';
import { createParser } from 'eventsource-parser';
import * as fc from 'fast-check';
import { joinDeltas } from './join-deltas.ts';

interface Event {
  event?: string | undefined;
  data: string;
}

const format = ({ event, data }: Event, end = '\n'): string =>
  `${event === undefined ? '' : `event: ${event}${end}`}data: ${data}${end}${end}`;

const anthropic = (delta: object, index = 0): Event => ({
  event: 'content_block_delta',
  data: JSON.stringify({ type: 'content_block_delta', index, delta }),
});
const say = (text: string, index?: number): Event => anthropic({ type: 'text_delta', text }, index);
const responses = (delta: string, rest: object = {}): Event => ({
  event: 'response.output_text.delta',
  data: JSON.stringify({ type: 'response.output_text.delta', item_id: 'a', output_index: 0, delta, ...rest }),
});
const completion = (delta: object, rest: object = {}): Event => ({
  data: JSON.stringify({ id: 'c', choices: [{ index: 0, delta, finish_reason: null }], usage: null, ...rest }),
});

/** What a server says, piece after piece; what comes of it, piece after piece. */
async function pass(pieces: (string | Uint8Array)[], type = 'text/event-stream'): Promise<string[]> {
  const source = new ReadableStream<Uint8Array>({
    start(out) {
      for (const piece of pieces) out.enqueue(Buffer.from(piece));
      out.close();
    },
  });
  const joined = joinDeltas(new Response(source, { status: 203, headers: { 'content-type': type } }));
  expect(joined.status).to.equal(203);
  const chunks: string[] = [];
  for await (const chunk of joined.body ?? []) chunks.push(Buffer.from(chunk).toString('latin1'));
  return chunks;
}

function parse(text: string): Event[] {
  const events: Event[] = [];
  const parser = createParser({ onEvent: ({ event, data }) => void events.push({ event, data }) });
  parser.feed(Buffer.from(text, 'latin1').toString('utf8'));
  return events;
}

const joined = async (...events: Event[]): Promise<Event[]> =>
  parse((await pass([events.map((event) => format(event)).join('')])).join(''));

describe('words that came together', () => {
  it('are one event', async () => {
    expect(await joined(say('a '), say('b "c" '), say('d\n'))).to.deep.equal([say('a b "c" d\n')]);
    expect(await joined(responses('a'), responses('b', { sequence_number: 2 }))).to.deep.equal([responses('ab')]);
    expect(await joined(completion({ role: 'assistant', content: '' }), completion({ content: 'a' }))).to.deep.equal([
      { event: undefined, data: completion({ role: 'assistant', content: 'a' }).data },
    ]);
    const json = (partial_json: string): Event => anthropic({ type: 'input_json_delta', partial_json }, 1);
    const think = (thinking: string): Event => anthropic({ type: 'thinking_delta', thinking });
    expect(await joined(json('{"a'), json('":1}'))).to.deep.equal([json('{"a":1}')]);
    expect(await joined(think('a'), think('b'))).to.deep.equal([think('ab')]);
  });

  it('stay apart where anything else is between or with them', async () => {
    const apart: Event[][] = [
      [say('a', 0), say('b', 1)],
      [say('a'), anthropic({ type: 'thinking_delta', thinking: 'b' })],
      [say('a'), { event: 'ping', data: '{"type":"ping"}' }, say('b')],
      [say('a'), anthropic({ type: 'signature_delta', signature: 'b' }), say('c')],
      [responses('a'), responses('b', { item_id: 'b' })],
      [responses('a'), responses('b', { logprobs: [{ token: 'b' }] })],
      [completion({ content: 'a' }), completion({}, { usage: { prompt_tokens: 1 } })],
      [
        completion({ content: 'a' }),
        completion({ content: 'b' }, { choices: [{ index: 0, delta: { content: 'b' }, finish_reason: 'stop' }] }),
      ],
      [completion({ content: 'a' }), completion({ content: 'b', tool_calls: [{ index: 0 }] })],
      [say('a'), { event: 'content_block_delta', data: '{"type":' }, say('b')],
      [completion({ content: 'a' }), { data: '[DONE]' }],
    ];
    for (const events of apart)
      expect(await joined(...events)).to.deep.equal(events.map((one) => ({ event: undefined, ...one })));
  });

  it('are what they were, wherever the network cuts them, and nothing of it waits for more', async () => {
    const event = fc.oneof(
      fc
        .record({ text: fc.string({ unit: 'grapheme' }), index: fc.constantFrom(0, 1) })
        .map(({ text, index }) => say(text, index)),
      fc.constant<Event>({ event: 'ping', data: '{"type":"ping"}' }),
    );
    /** Neighbours of one text as one. */
    const read = (events: Event[]): string[] => {
      const texts: string[] = [];
      let last: unknown;
      for (const { data } of events) {
        const { index, delta } = JSON.parse(data) as { index?: number; delta?: { text: string } };
        if (delta !== undefined && index === last) texts.push((texts.pop() ?? '') + delta.text);
        else texts.push(delta?.text ?? 'ping');
        last = index;
      }
      return texts;
    };
    await fc.assert(
      fc.asyncProperty(
        fc.array(event, { maxLength: 12 }),
        fc.array(fc.nat(400), { maxLength: 6 }),
        fc.constantFrom('\n', '\r\n'),
        async (events, cuts, end) => {
          const bytes = Buffer.from(events.map((one) => format(one, end)).join(''));
          const at = [0, ...cuts.toSorted((a, b) => a - b).filter((cut) => cut < bytes.length), bytes.length];
          const pieces = at.slice(1).map((to, index) => bytes.subarray(at[index], to));
          const chunks = await pass(pieces);
          expect(chunks.length).to.equal(pieces.length);
          for (const [index, chunk] of chunks.entries())
            expect(chunk.slice(-3)).to.equal(pieces[index]?.toString('latin1').slice(-3));
          expect(read(parse(chunks.join('')))).to.deep.equal(read(events));
        },
      ),
    );
  });

  it('come through unchanged when they come alone, or as something else', async () => {
    const spaced = `event: content_block_delta\ndata: {"type": "content_block_delta", "index": 0, "delta": {"type":"text_delta","text":"a"}  }\n\n`;
    expect(await pass([spaced, spaced])).to.deep.equal([spaced, spaced]);
    const problem = '{"a":1}\n\n{"b":2}\n\n';
    expect(await pass([problem], 'application/json')).to.deep.equal([problem]);
  });
});
