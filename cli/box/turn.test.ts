import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { ConversationEvent } from '../../contract/conversation.ts';
import { createTestDeps } from '../testing/create-test-deps.ts';
import { startFakeServer } from '../testing/fake-server.ts';
import type { FakeServer, Handler } from '../testing/fake-server.ts';
import type { BoxAccess } from './connection.ts';
import { followTurn } from './turn.ts';

const CONVERSATION = randomUUID();
const START: ConversationEvent = {
  type: 'start',
  id: 'r1',
  conversation: CONVERSATION,
  turn: 1,
  kind: 'ask',
  text: 'Why?',
  model: 'm',
  at: '2026-11-23T12:00:00.000Z',
};
const DONE: ConversationEvent = { type: 'done', stop_reason: 'stop', input_tokens: 1, output_tokens: 1 };
const word = (index: number): ConversationEvent => ({ type: 'text', text: ` ${index}` });
const turn = (number: number, words: number): ConversationEvent[] => [
  { ...START, turn: number } as ConversationEvent,
  ...Array.from({ length: words }, (_one, index) => word(index)),
  DONE,
];

/** A box with these events, which cuts each line after `pieces` of them, one number a line. The last number goes for all that follow. */
function createBox(
  events: ConversationEvent[],
  pieces: number[],
): { handlers: Record<string, Handler>; starts: string[] } {
  const starts: string[] = [];
  const stream: Handler = ({ method, path, headers }, response) => {
    const after = Number(headers['last-event-id'] ?? 0);
    starts.push(`${method} ${path} ${after}`);
    const count = pieces[Math.min(starts.length - 1, pieces.length - 1)] ?? 0;
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const lines = events
      .slice(after, after + count)
      .map((event, index) => `id: ${after + index + 1}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
    response.write(`: hello\n\n${lines.join('')}`, () => response.destroy());
  };
  const events1 = `GET /api/conversations/${CONVERSATION}/events`;
  return {
    starts,
    handlers: { 'POST /api/ask': stream, [`${events1}?turn=1`]: stream, [`${events1}?turn=2`]: stream },
  };
}

describe('followTurn', () => {
  let home: string;
  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'turn-'));
  });
  after(() => rm(home, { recursive: true }));

  const access = (server: FakeServer): BoxAccess => ({ url: new URL(server.url), on_box: true });

  for (const [name, pieces] of [
    ['is lost after each event', [1]],
    ['is lost before the first event, and in the middle', [0, 0, 3, 0, 2]],
    ['holds', [100]],
  ] as const) {
    it(`tells each event once when the line ${name}`, async () => {
      const events = turn(1, 6);
      const box = createBox(events, [...pieces, 1]);
      await using server = await startFakeServer(box.handlers);
      const deps = createTestDeps({ homeFolder: home });
      const seen: ConversationEvent[] = [];
      const said: string[] = [];
      const beginning = { path: '/api/ask', body: '{}' };
      for await (const event of followTurn(deps, access(server), beginning, async (line) => void said.push(line)))
        seen.push(event);
      expect(seen).to.deep.equal(events);
      expect(new Set(box.starts).size, 'nothing is asked for twice once something came').to.be.above(0);
      expect(said.length > 0).to.equal(name !== 'holds');
    });
  }

  it('tells only the turns that are wanted, and ends with the last of them', async () => {
    const box = createBox([...turn(1, 2), ...turn(2, 3)], [2, 3, 100]);
    await using server = await startFakeServer(box.handlers);
    const read = async (from: number): Promise<ConversationEvent[]> => {
      const seen: ConversationEvent[] = [];
      const beginning = { conversation: CONVERSATION, from, turn: 2 };
      for await (const event of followTurn(createTestDeps(), access(server), beginning, async () => {}))
        seen.push(event);
      return seen;
    };
    expect(await read(1)).to.deep.equal([...turn(1, 2), ...turn(2, 3)]);
    expect(await read(2)).to.deep.equal(turn(2, 3));
  });

  it('gives up after 15 minutes, and says where what was said can be read', async () => {
    const box = createBox(turn(1, 6), [2, 0]);
    await using server = await startFakeServer(box.handlers);
    const deps = createTestDeps();
    const began = deps.now();
    const seen: ConversationEvent[] = [];
    const failure = await (async () => {
      const beginning = { path: '/api/ask', body: '{}' };
      for await (const event of followTurn(deps, access(server), beginning, async () => {})) seen.push(event);
      return undefined;
    })().catch((error: unknown) => error);
    expect(seen.length).to.equal(2);
    expect(failure).to.include({
      code: 'answer_incomplete',
      next: `What it says is kept: read it with \`spoq resume ${CONVERSATION.slice(0, 8)}\`.`,
    });
    expect(deps.now() - began).to.be.within(14 * 60_000, 15 * 60_000);
  });
});
