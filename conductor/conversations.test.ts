import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect } from 'chai';
import { ConversationList } from '../contract/conversation.ts';
import type { ConversationSummary } from '../contract/conversation.ts';
import { askAll, openAsk, openEvents, readConversation, send } from './testing/client.ts';
import { startControlPlane } from './testing/control-plane.ts';
import type { TestControlPlane } from './testing/control-plane.ts';
import {
  beginAnthropic,
  endAnthropic,
  sayAnthropic,
  speakAnthropic,
  startModelServer,
} from './testing/model-server.ts';
import type { TestModelServer } from './testing/model-server.ts';
import { startConductor } from './testing/start-conductor.ts';
import type { StartOptions, TestConductor } from './testing/start-conductor.ts';
import { waitUntil } from './testing/wait-until.ts';

describe('conversations', () => {
  let plane: TestControlPlane;
  let model: TestModelServer;
  let conductor: TestConductor;
  let stateDir: string;

  before(async () => {
    plane = await startControlPlane();
  });
  after(() => plane.close());
  beforeEach(async () => {
    stateDir = await mkdtemp(join(tmpdir(), 'conversations-'));
    model = await startModelServer();
    await start();
  });
  afterEach(async () => {
    await conductor.close();
    await model.close();
    await rm(stateDir, { recursive: true, force: true });
  });

  async function start(options: Partial<StartOptions> = {}): Promise<void> {
    conductor = await startConductor({ plane, stateDir, ...options, model: { baseUrl: model.url } });
  }

  async function ask(body: object): Promise<{ conversation: string; events: unknown[] }> {
    const events = await askAll(conductor.local, body);
    return { conversation: (events[0] as { conversation: string }).conversation, events };
  }

  async function list(query = ''): Promise<ConversationList> {
    return ConversationList.parse((await send(conductor.local, { path: `/api/conversations${query}` })).json);
  }

  const messages = (call: number): unknown =>
    (
      model.calls[call]?.body as { messages: { role: string; content: { text: string }[] }[] } | undefined
    )?.messages.map(({ role, content }) => [role, content.map(({ text }) => text).join('')]);

  it('goes on with what was said, also after a restart', async () => {
    const { conversation } = await ask({ question: 'Why?' });
    await conductor.close();
    await start();
    const { events } = await ask({ question: 'And then?', conversation });
    expect(events[0]).to.deep.include({ conversation, turn: 2, text: 'And then?' });
    expect(messages(1)).to.deep.equal([
      ['user', 'Why?'],
      ['assistant', 'Hello there'],
      ['user', 'And then?'],
    ]);
    const [summary, ...others] = (await list()).conversations;
    expect(others).to.deep.equal([]);
    const { created_at, updated_at, ...rest } = summary as ConversationSummary;
    expect(created_at <= updated_at).to.equal(true);
    expect(rest).to.deep.equal({
      id: conversation,
      title: 'Why?',
      folder: null,
      state: 'idle',
      last_kind: 'ask',
      workspace: null,
      changed_files: null,
      turns: 2,
      last_event: 6,
      input_tokens: 24,
      output_tokens: 14,
      cost_usd: 2 * 0.000094,
    });
  });

  it('answers a request that is sent again once, from the event that was seen last', async () => {
    const request = randomUUID();
    const { promise: enough, resolve: go } = Promise.withResolvers<void>();
    model.speak = async (res) => {
      beginAnthropic(res);
      speakAnthropic(res, 'first');
      await enough;
      endAnthropic(res);
    };
    const stream = await openAsk(conductor.local, { question: 'Why?', request });
    await stream.next();
    expect((await stream.next())?.id).to.equal('2');
    stream.drop();
    const again = await openAsk(conductor.local, { question: 'Why?', request }, { 'last-event-id': '1' });
    expect((await again.next())?.data).to.deep.equal({ type: 'text', text: 'first' });
    go();
    expect((await again.next())?.event).to.equal('done');
    expect(await again.next()).to.equal(undefined);
    expect((await askAll(conductor.local, { question: 'Why?', request })).length).to.equal(3);
    expect(model.calls.length).to.equal(1);
  });

  it('begins once when the same request comes twice at the same time', async () => {
    const request = randomUUID();
    const [one, other] = await Promise.all([1, 2].map(() => ask({ question: 'Why?', request })));
    expect(one).to.deep.equal(other);
    expect(model.calls.length).to.equal(1);
  });

  it('is followed live by a second device, over more than one turn', async () => {
    const { conversation } = await ask({ question: 'Why?' });
    const path = `/api/conversations/${conversation}/events`;
    const other = await openEvents(conductor.local, path, { 'last-event-id': '2' });
    expect((await other.next())?.id).to.equal('3');
    await ask({ question: 'And?', conversation });
    const types: (string | undefined)[] = [];
    while (types.length < 3) types.push((await other.next())?.event);
    expect(types).to.deep.equal(['start', 'text', 'done']);
    other.drop();
    const one = await openEvents(conductor.local, `${path}?turn=1`);
    const ids: (string | undefined)[] = [];
    for (let event = await one.next(); event !== undefined; event = await one.next()) ids.push(event.id);
    expect(ids).to.deep.equal(['1', '2', '3']);
  });

  it('does one thing at a time, and ends it when it is told to', async () => {
    model.speak = (res) => {
      beginAnthropic(res);
      speakAnthropic(res, 'first');
    };
    const stream = await openAsk(conductor.local, { question: 'Why?' });
    const conversation = await readConversation(stream);
    await stream.next();
    expect((await list()).conversations[0]?.state).to.equal('running');
    const busy = await send(conductor.local, {
      method: 'POST',
      path: '/api/ask',
      body: { question: 'x', conversation },
    });
    expect(busy.json).to.deep.include({ status: 409, code: 'conversation_busy' });
    const removed = await send(conductor.local, { method: 'DELETE', path: `/api/conversations/${conversation}` });
    expect(removed.json).to.deep.include({ status: 409, code: 'conversation_busy' });
    const interrupt = { method: 'POST', path: `/api/conversations/${conversation}/interrupt` };
    expect((await send(conductor.local, interrupt)).json).to.deep.equal({ interrupted: true });
    // It is over by then: who stops an answer may ask the next question at once.
    expect((await list()).conversations[0]?.state).to.equal('idle');
    expect((await stream.next())?.data).to.deep.include({ type: 'error', code: 'cancelled' });
    await waitUntil('the call is dropped', () => model.calls[0]?.dropped === true);
    expect((await send(conductor.local, interrupt)).json).to.deep.equal({ interrupted: false });
    // What it had said is told to the model.
    model.speak = (res) => sayAnthropic(res, ['second']);
    await ask({ question: 'Go on', conversation });
    expect(messages(1)).to.deep.equal([
      ['user', 'Why?'],
      ['assistant', 'first'],
      ['user', 'Go on'],
    ]);
  });

  it('lists them by folder and page by page, the latest first, and deletes one', async () => {
    const here = { key: 'laptop:abc', name: 'spoq' };
    const ids: string[] = [];
    for (const question of ['one', 'two', 'three']) ids.unshift((await ask({ question, folder: here })).conversation);
    await ask({ question: 'elsewhere' });
    const first = await list('?folder=laptop%3Aabc&limit=2');
    expect([first.conversations.map(({ id }) => id), first.more]).to.deep.equal([ids.slice(0, 2), true]);
    const rest = await list(`?folder=laptop%3Aabc&limit=2&before=${ids[1]}`);
    expect([rest.conversations.map(({ id }) => id), rest.more]).to.deep.equal([ids.slice(2), false]);
    expect(rest.conversations[0]?.folder).to.equal('spoq');
    const path = `/api/conversations/${ids[2]}`;
    const other = await openEvents(conductor.local, `${path}/events`, { 'last-event-id': '4' });
    expect((await send(conductor.local, { method: 'DELETE', path })).status).to.equal(204);
    expect(await other.next()).to.equal(undefined);
    expect((await send(conductor.local, { path })).json).to.deep.include({ status: 404, code: 'conversation_unknown' });
    expect((await list('?folder=laptop%3Aabc')).conversations.length).to.equal(2);
  });

  for (const [what, path, headers, field] of [
    ['a limit that is none', '/api/conversations?limit=0', {}, 'limit'],
    ['a query that there is not', '/api/conversations?colour=red', {}, 'body'],
    ['an event that is no number', '/api/conversations/ID/events', { 'last-event-id': 'x' }, 'Last-Event-ID'],
    ['a turn that there is not', '/api/conversations/ID/events?turn=2', {}, 'turn'],
  ] as const) {
    it(`refuses ${what}, by name`, async () => {
      const { conversation } = await ask({ question: 'Why?' });
      const { json, status } = await send(conductor.local, { path: path.replace('ID', conversation), headers });
      expect(status).to.equal(400);
      expect((json as { errors: { field: string }[] }).errors.map((fault) => fault.field)).to.deep.equal([field]);
    });
  }

  for (const id of ['x', '..%2f..', randomUUID()]) {
    it(`has no conversation ${id.length > 10 ? 'of another id' : id}`, async () => {
      const { json } = await send(conductor.local, { path: `/api/conversations/${id}/events` });
      expect(json).to.deep.include({ status: 404, code: 'conversation_unknown' });
      if (id === 'x') return;
      const asked = await send(conductor.local, {
        method: 'POST',
        path: '/api/ask',
        body: { question: 'Why?', conversation: randomUUID() },
      });
      expect(asked.json).to.deep.include({ status: 404, code: 'conversation_unknown' });
    });
  }

  it('says that it cannot write, and goes on when it can', async () => {
    await conductor.close();
    await rm(join(stateDir, 'conductor.db'), { force: true });
    await mkdir(join(stateDir, 'conductor.db'));
    conductor = await startConductor({ plane, stateDir, model: { baseUrl: model.url }, recover: false });
    const refused = await send(conductor.local, { method: 'POST', path: '/api/ask', body: { question: 'Why?' } });
    expect(refused.json).to.deep.include({ status: 507, code: 'storage_failed' });
    expect((await send(conductor.local, { path: '/api/status' })).status).to.equal(200);
    expect(model.calls.length).to.equal(0);
    await rm(join(stateDir, 'conductor.db'), { recursive: true });
    expect((await ask({ question: 'Why?' })).events.length).to.equal(3);
  });

  for (const table of ['events', 'messages']) {
    it(`ends an answer whose ${table} can no longer be written, and says so to who reads it`, async () => {
      const { promise: enough, resolve: go } = Promise.withResolvers<void>();
      model.speak = async (res) => {
        beginAnthropic(res);
        speakAnthropic(res, 'first');
        await enough;
        speakAnthropic(res, ' second');
        endAnthropic(res);
      };
      const stream = await openAsk(conductor.local, { question: 'Why?' });
      const conversation = await readConversation(stream);
      await stream.next();
      const other = new DatabaseSync(join(stateDir, 'conductor.db'));
      other.exec(`ALTER TABLE ${table} RENAME TO gone`);
      go();
      let last = await stream.next();
      for (let event = last; event !== undefined; event = await stream.next()) last = event;
      expect(last?.data).to.deep.include({ type: 'error', code: 'storage_failed' });
      other.exec(`ALTER TABLE gone RENAME TO ${table}`);
      other.close();
      model.speak = (res) => sayAnthropic(res, ['third']);
      expect((await ask({ question: 'Go on', conversation })).events.at(-1)).to.have.property('type', 'done');
    });
  }

  it('puts a damaged database aside and begins a new one', async () => {
    await ask({ question: 'Why?' });
    await conductor.close();
    await writeFile(join(stateDir, 'conductor.db'), 'x'.repeat(10_000));
    await start();
    expect((await ask({ question: 'Why?' })).events.length).to.equal(3);
    expect((await readdir(stateDir)).filter((name) => /^conductor\.db\.damaged-\d+$/.test(name)).length).to.equal(1);
  });
});
