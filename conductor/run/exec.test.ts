import { randomBytes, randomUUID } from 'node:crypto';
import { expect } from 'chai';
import type { ConversationEvent } from '../../contract/conversation.ts';
import { openEvents, send } from '../testing/client.ts';
import { startControlPlane } from '../testing/control-plane.ts';
import type { TestControlPlane } from '../testing/control-plane.ts';
import { conversationOf, ofType, readAll, readUntil, startBench } from './testing.ts';
import type { RunBench } from './testing.ts';

const collect = (events: ConversationEvent[], stream: 'stdout' | 'stderr'): Buffer =>
  Buffer.concat(
    ofType(events, 'tool_output')
      .filter((event) => event.stream === stream)
      .map(({ text, data }) => (data === undefined ? Buffer.from(text ?? '') : Buffer.from(data, 'base64'))),
  );

describe('a program in a workspace', () => {
  let plane: TestControlPlane;
  let bench: RunBench;
  const bytes = randomBytes(300_000);

  before(async () => {
    plane = await startControlPlane();
    bench = await startBench(plane, { 'a.bin': bytes, 'dir/b.txt': 'b\n' });
  });
  after(async () => {
    await bench.close();
    await plane.close();
  });

  const exec = async (argv: string[], body: object = {}): Promise<ConversationEvent[]> =>
    readAll(await bench.begin('/api/exec', { argv, ...body }));
  const input = (conversation: string, body: object): ReturnType<RunBench['post']> =>
    bench.post(`/api/conversations/${conversation}/input`, body);
  const encode = (text: string): string => Buffer.from(text).toString('base64');

  it('has its two outputs apart, byte by byte, and its exit code', async () => {
    const events = await exec(['bash', '-c', 'cat a.bin; echo "ä$X" >&2; exit 7'], { env: { X: 'y' } });
    expect(collect(events, 'stdout').equals(bytes)).to.equal(true);
    expect(collect(events, 'stderr').toString()).to.equal('äy\n');
    expect(events.slice(-2)).to.deep.equal([
      { type: 'exit', code: 7, signal: null, number: events.length - 1 },
      { type: 'done', stop_reason: 'exit', input_tokens: null, output_tokens: null, number: events.length },
    ]);
    expect(ofType(events, 'start')[0]).to.deep.include({ kind: 'exec', model: null });
  });

  it('starts where the person stands, and says what it cannot start', async () => {
    expect(collect(await exec(['cat', 'b.txt'], { cwd: 'dir' }), 'stdout').toString()).to.equal('b\n');
    const missing = await exec(['no-such-program']);
    expect(collect(missing, 'stderr').toString()).to.equal('no-such-program: not found\n');
    expect(ofType(missing, 'exit')[0]?.code).to.equal(127);
  });

  it('takes input once, however often it is sent', async () => {
    const stream = await bench.begin('/api/exec', { argv: ['cat'], stdin: true });
    const { conversation } = await readUntil(stream, 'start');
    const first = await input(conversation, { offset: 0, data: encode('one ') });
    expect(first.json).to.deep.equal({ received: 4 });
    expect((await input(conversation, { offset: 0, data: encode('one two ') })).json).to.deep.equal({ received: 8 });
    const gap = await input(conversation, { offset: 9, data: encode('x') });
    expect(gap.json).to.deep.include({ status: 409, code: 'input_refused', next_step: 'Send from byte 8 on.' });
    expect((await input(conversation, { offset: 8, data: encode('end'), end: true })).json).to.deep.equal({
      received: 11,
    });
    expect((await input(conversation, { offset: 8, data: encode('end'), end: true })).json).to.deep.equal({
      received: 11,
    });
    expect(collect(await readAll(stream), 'stdout').toString()).to.equal('one two end');
    const late = await input(conversation, { offset: 11, data: encode('x') });
    expect(late.json).to.deep.include({ status: 409, detail: 'Nothing runs that takes input.' });
  });

  it('has no input where none will come', async () => {
    expect(collect(await exec(['cat']), 'stdout').toString()).to.equal('');
    const stream = await bench.begin('/api/exec', { argv: ['sleep', '600'] });
    const { conversation } = await readUntil(stream, 'start');
    const refused = await input(conversation, { offset: 0, data: encode('x') });
    expect(refused.json).to.deep.include({ status: 409, detail: 'It was begun without input.' });
    await input(conversation, { signal: 'SIGTERM' });
    expect(ofType(await readAll(stream), 'exit')[0]).to.deep.include({ code: null, signal: 'SIGTERM' });
  });

  it('has a terminal that is resized, and gets signals', async () => {
    const argv = [
      'bash',
      '-c',
      'trap "stty size; exit 3" INT; trap "stty size" WINCH; stty size; while :; do sleep 0.05; done',
    ];
    const stream = await bench.begin('/api/exec', { argv, tty: { columns: 70, rows: 20 } });
    const { conversation } = await readUntil(stream, 'start');
    expect((await readUntil(stream, 'tool_output')).text).to.contain('20 70');
    await input(conversation, { resize: { columns: 90, rows: 30 } });
    // Its columns are set first, then its rows: the program may look in between.
    while (!(await readUntil(stream, 'tool_output')).text?.includes('30 90'));
    await input(conversation, { signal: 'SIGINT' });
    const rest = await readAll(stream);
    expect(collect(rest, 'stdout').toString()).to.contain('30 90');
    expect(ofType(rest, 'exit')[0]?.code).to.equal(3);
  });

  it('is read on after a lost line, from the event that was seen last', async () => {
    const request = randomUUID();
    const stream = await bench.begin('/api/exec', { argv: ['cat'], stdin: true, request });
    const { conversation } = await readUntil(stream, 'start');
    await input(conversation, { offset: 0, data: encode('one\n') });
    const seen = await readUntil(stream, 'tool_output');
    stream.drop();
    await input(conversation, { offset: 4, data: encode('two\n'), end: true });
    const path = `/api/conversations/${conversation}/events?turn=1`;
    const rest = await readAll(await openEvents(bench.conductor.local, path, { 'last-event-id': String(seen.number) }));
    expect(collect(rest, 'stdout').toString()).to.equal('two\n');
    const all = await readAll(await bench.begin('/api/exec', { argv: ['cat'], stdin: true, request }));
    expect(collect(all, 'stdout').toString()).to.equal('one\ntwo\n');
  });

  it('is ended by an interruption', async () => {
    const stream = await bench.begin('/api/exec', { argv: ['sleep', '600'] });
    const { conversation } = await readUntil(stream, 'start');
    await bench.post(`/api/conversations/${conversation}/interrupt`);
    expect((await readAll(stream)).at(-1)).to.deep.include({ type: 'error', code: 'cancelled' });
  });

  it('keeps what it has changed, and nothing else', async () => {
    const changed = await exec(['bash', '-c', 'echo x >> dir/b.txt']);
    expect(ofType(changed, 'changes')[0]).to.deep.include({ files: 1, added_lines: 1, removed_lines: 0 });
    const path = `/api/conversations/${conversationOf(changed)}/diff`;
    expect((await send(bench.conductor.local, { path })).text).to.contain('+x\n');
    const same = await exec(['true']);
    expect(ofType(same, 'changes')).to.deep.equal([]);
    const none = await send(bench.conductor.local, { path: `/api/conversations/${conversationOf(same)}/diff` });
    expect(none.json).to.deep.include({ code: 'workplace_unknown' });
  });

  for (const [what, body] of [
    ['nothing to run', { argv: [] }],
    ['NUL in an argument', { argv: ['a\0b'] }],
    ['a name of a variable that is none', { argv: ['a'], env: { 'A B': 'x' } }],
    ['a terminal without a size', { argv: ['a'], tty: { columns: 0, rows: 1 } }],
  ] as const) {
    it(`refuses ${what}`, async () => {
      const { json } = await bench.post('/api/exec', { workspace: 'web', ...body });
      expect(json).to.deep.include({ status: 400, code: 'invalid_request' });
    });
  }
});
