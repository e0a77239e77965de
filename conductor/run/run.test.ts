import { existsSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect } from 'chai';
import { readConversation, send } from '../testing/client.ts';
import { startControlPlane } from '../testing/control-plane.ts';
import type { TestControlPlane } from '../testing/control-plane.ts';
import { playScript, readMessages, readResults } from '../testing/scripted-model.ts';
import { waitUntil } from '../testing/wait-until.ts';
import { conversationOf, ofType, startBench } from './testing.ts';
import type { RunBench } from './testing.ts';

const FILES = {
  'AGENTS.md': 'Tests: node test.js',
  'sum.js': 'exports.sum = (a, b) => a - b;\n',
  'test.js': "require('node:assert').equal(require('./sum.js').sum(1, 2), 3);\nconsole.log('1 passed');\n",
};

describe('a run', () => {
  let plane: TestControlPlane;
  let bench: RunBench;

  before(async () => {
    plane = await startControlPlane();
  });
  after(() => plane.close());
  beforeEach(async () => {
    bench = await startBench(plane, FILES);
  });
  afterEach(() => bench.close());

  it('repairs a bug by calls of tools, and keeps the patch', async () => {
    bench.model.speak = playScript([
      { text: 'I look first.', calls: [{ name: 'shell', input: { command: 'node test.js' } }] },
      {
        calls: [
          { name: 'search', input: { pattern: 'sum =' } },
          { name: 'read_file', input: { path: 'sum.js' } },
        ],
      },
      { calls: [{ name: 'edit_file', input: { path: 'sum.js', edits: [{ old: 'a - b', new: 'a + b' }] } }] },
      { calls: [{ name: 'shell', input: { command: 'node test.js' } }] },
      { text: 'Repaired.' },
    ]);
    const events = await bench.run('Fix the sum');
    expect(
      events.flatMap((event) => {
        if (event.type === 'tool_call') return [`${event.tool}: ${event.title}`];
        if (event.type === 'tool_result') return [`${event.outcome} ${event.exit_code ?? ''}: ${event.summary}`];
        return [];
      }),
    ).to.deep.equal([
      'shell: $ node test.js',
      'failed 1: exit code 1',
      'search: Search sum =',
      'ok : 1 match',
      'read_file: Read sum.js',
      'ok : 1 line',
      'edit_file: Edit sum.js',
      'ok : 1 place',
      'shell: $ node test.js',
      'ok 0: done',
    ]);
    expect(events.map(({ number }) => number)).to.deep.equal(events.map((_, index) => index + 1));
    expect(events.at(-2)).to.deep.include({ type: 'changes', files: 1, added_lines: 1, removed_lines: 1 });
    expect(events.at(-1)).to.deep.include({
      type: 'done',
      stop_reason: 'stop',
      input_tokens: 60,
      output_tokens: 35,
    });
    const outputs = ofType(events, 'tool_output').map(({ text, stream }) => [stream, text]);
    expect(outputs.at(-1)).to.deep.equal(['stdout', '1 passed\n']);
    const conversation = conversationOf(events);
    const changes = await send(bench.conductor.local, { path: `/api/conversations/${conversation}/changes` });
    const { files } = changes.json as { files: { path: string; object: string; base_object: string }[] };
    expect(files.map(({ path }) => path)).to.deep.equal(['sum.js']);
    const read = async (object = ''): Promise<string> =>
      (await send(bench.conductor.local, { path: `/api/conversations/${conversation}/objects/${object}` })).text;
    expect(await read(files[0]?.object)).to.equal('exports.sum = (a, b) => a + b;\n');
    expect(await read(files[0]?.base_object)).to.equal(FILES['sum.js']);
    const diff = await send(bench.conductor.local, { path: `/api/conversations/${conversation}/diff` });
    expect(diff.headers['content-type']).to.equal('text/x-diff; charset=utf-8');
    expect(diff.text).to.contain('-exports.sum = (a, b) => a - b;\n+exports.sum = (a, b) => a + b;\n');
    const discarded = await bench.post(`/api/conversations/${conversation}/discard`);
    expect(discarded.json).to.deep.equal({ discarded: true });
    const gone = await send(bench.conductor.local, { path: `/api/conversations/${conversation}/diff` });
    expect(gone.json).to.deep.include({ status: 404, code: 'workplace_unknown' });
  });

  it('tells the model of its task, the project, and what its calls brought', async () => {
    bench.model.speak = playScript([
      { calls: [{ name: 'shell', input: { command: 'echo out; echo err >&2; exit 3' } }] },
      { text: 'Done.' },
    ]);
    await bench.run('Try it', { stdin: 'piped text' });
    const [first, second] = bench.model.calls;
    if (first === undefined || second === undefined) throw new Error('two calls');
    const system = first.body['system'] as { text: string; cache_control?: unknown }[];
    expect(system[0]?.text).to.contain('Tests: node test.js').and.contain('path="AGENTS.md"');
    expect(system[0]?.cache_control).to.deep.equal({ type: 'ephemeral' });
    expect(second.body['system']).to.deep.equal(first.body['system']);
    expect(second.body['tools']).to.deep.equal(first.body['tools']);
    expect(readMessages(first)[0]?.content[0]?.text).to.match(/^<stdin-\w+>\npiped text\n<\/stdin-\w+>\n\nTry it$/);
    expect(readResults(second)[0]).to.contain('out\n').and.contain('err\n').and.contain('[Exit code 3.]');
    const last = readMessages(second).at(-1)?.content.at(-1) as { cache_control?: unknown };
    expect(last.cache_control).to.deep.equal({ type: 'ephemeral' });
  });

  it('goes on in the same copy, and asks about it without tools', async () => {
    bench.model.speak = playScript([
      { calls: [{ name: 'write_file', input: { path: 'a.txt', text: 'one\n' } }] },
      { text: 'Written.' },
      { calls: [{ name: 'shell', input: { command: 'cat a.txt' } }] },
      { text: 'Read.' },
      { text: 'An answer.' },
    ]);
    const conversation = conversationOf(await bench.run('Write'));
    const events = await bench.run('Read it', { conversation });
    expect(ofType(events, 'tool_output')[0]?.text).to.equal('one\n');
    const asked = await send(bench.conductor.local, {
      method: 'POST',
      path: '/api/ask',
      body: { question: 'What?', conversation },
    });
    expect(asked.text).to.contain('An answer.');
    const call = bench.model.calls.at(-1);
    expect(call?.body['tools']).to.equal(undefined);
    expect(JSON.stringify(call?.body['messages'])).to.contain('[Called shell:').and.not.contain('tool_use');
    const other = await bench.post('/api/run', { task: 'x', workspace: 'other', conversation });
    expect(other.json).to.deep.include({ status: 400, detail: 'This conversation works in a copy of web.' });
  });

  it('keeps nothing of a copy in which nothing was changed', async () => {
    bench.model.speak = playScript([{ text: 'Nothing to do.' }]);
    const events = await bench.run('Look');
    // On a machine that is busy it says first that a place is being made.
    const types = events.map(({ type }) => type).filter((type) => type !== 'notice');
    expect(types).to.deep.equal(['start', 'text', 'changes', 'done']);
    const conversation = conversationOf(events);
    const { json } = await send(bench.conductor.local, { path: `/api/conversations/${conversation}/changes` });
    expect(json).to.deep.include({ code: 'workplace_unknown' });
  });

  it('tells the model what is wrong with a call, and lets it go on', async () => {
    bench.model.speak = playScript([
      {
        calls: [
          { name: 'fly', input: {} },
          { name: 'read_file', input: {} },
          { name: 'read_file', input: { path: 'missing' } },
          { name: 'read_file', input: { path: '../../etc/passwd' } },
          { name: 'edit_file', input: { path: 'sum.js', edits: [{ old: 'nowhere', new: 'x' }] } },
        ],
      },
      { text: 'I see.' },
    ]);
    const events = await bench.run('Err');
    expect(ofType(events, 'tool_result').map(({ outcome }) => outcome)).to.deep.equal(Array(5).fill('failed'));
    const results = readResults(bench.model.calls[1] as never);
    expect(results[0]).to.contain('There is no tool "fly". There are: read_file');
    expect(results[1]).to.contain('The input is not valid. path:');
    expect(results[2]).to.contain('missing');
    expect(results.length).to.equal(5);
    expect(events.at(-1)?.type).to.equal('done');
  });

  it('stops a model that does the same in vain', async () => {
    bench.model.speak = playScript([{ calls: [{ name: 'shell', input: { command: 'false' } }] }]);
    const events = await bench.run('Try');
    expect(ofType(events, 'tool_call').length).to.equal(3);
    expect(ofType(events, 'notice').at(-1)?.code).to.equal('repeated_failure');
    expect(events.at(-1)).to.deep.include({ type: 'done', stop_reason: 'repeated_failure' });
  });

  for (const path of ['/api/run', '/api/exec'] as const) {
    it(`comes to its end where nothing more can be written down (${path})`, async () => {
      const command = 'while [ ! -e go ]; do sleep 0.02; done';
      bench.model.speak = playScript([{ calls: [{ name: 'shell', input: { command } }] }, { text: 'Done.' }]);
      const body = { workspace: 'web', task: 'Wait', argv: ['bash', '-c', command] };
      const { [path === '/api/run' ? 'argv' : 'task']: _other, ...given } = body;
      const stream = await bench.begin(path, given);
      const conversation = await readConversation(stream);
      await waitUntil('it to be at work', () => existsSync(bench.tree(conversation)));
      const other = new DatabaseSync(join(bench.folder, 'state', 'conductor.db'));
      other.exec('ALTER TABLE events RENAME TO gone');
      writeFileSync(join(bench.tree(conversation), 'go'), '');
      let last = await stream.next();
      for (let event = last; event !== undefined; event = await stream.next()) last = event;
      expect(last?.data).to.deep.include({ type: 'error', code: 'storage_failed' });
      other.exec('ALTER TABLE gone RENAME TO events');
      other.close();
      const { json } = await send(bench.conductor.local, { path: '/api/status' });
      expect(json).to.have.property('running', 0);
    });
  }

  it('ends at its limit of steps, and says so', async () => {
    await bench.restart({ runs: { limits: { steps: 2, activeMs: 60_000 } } });
    bench.model.speak = playScript([{ calls: [{ name: 'shell', input: { command: 'true' } }] }]);
    const events = await bench.run('Go on for ever');
    expect(events.at(-1)).to.deep.include({ type: 'error', code: 'run_limit', detail: 'It has made 2 steps.' });
  });

  it('bounds what one call answers, and lets the model read the rest', async () => {
    bench.model.speak = playScript([
      { calls: [{ name: 'shell', input: { command: 'seq 20000' } }] },
      { calls: [{ name: 'read_output', input: { call: 'call_0_0', offset_lines: 9999, limit_lines: 2 } }] },
      { text: 'Read.' },
    ]);
    const events = await bench.run('Count');
    const all = ofType(events, 'tool_output').map(({ text = '' }) => text);
    expect(all.join('')).to.equal(Array.from({ length: 20_000 }, (_, index) => `${index + 1}\n`).join(''));
    const [first = ''] = readResults(bench.model.calls[1] as never);
    expect(first.length).to.be.lessThan(31_000);
    expect(first).to.contain('characters are left out here. The tool read_output with call "call_0_0" shows them');
    expect(readResults(bench.model.calls[2] as never)[0]).to.contain('10000\n10001');
  });

  it('says plainly that the context is full', async () => {
    bench.model.speak = (res) => {
      res.writeHead(400, { 'content-type': 'application/json' });
      const message = 'prompt is too long: 210000 tokens > 200000 maximum';
      res.end(JSON.stringify({ type: 'error', error: { type: 'invalid_request_error', message } }));
    };
    const events = await bench.run('Long');
    expect(events.at(-1)).to.deep.include({ type: 'error', code: 'context_full' });
  });

  for (const [what, body, code] of [
    ['a rule that is none', { allow: ['shel(ls)'], deny: ['x('] }, 'invalid_request'],
    ['a workspace with a bad name', { workspace: '../x' }, 'invalid_request'],
    ['a field that there is not', { colour: 'red' }, 'invalid_request'],
    ['a snapshot that is none', { snapshot: 'main' }, 'invalid_request'],
  ] as const) {
    it(`refuses ${what}`, async () => {
      const { json } = await bench.post('/api/run', { task: 'x', workspace: 'web', ...body });
      expect(json).to.deep.include({ status: 400, code });
    });
  }

  it('is refused where it cannot be confined, and ends where its snapshot is missing', async () => {
    const none = await bench.run('x', { snapshot: '0'.repeat(40) });
    expect(none.at(-1)).to.deep.include({ type: 'error', code: 'workplace_lost' });
    bench.model.speak = playScript([{ text: 'x' }]);
    const { conductor } = await startBench(plane, FILES, { workplaces: undefined } as never).then(async (other) => {
      const answer = await other.post('/api/run', { task: 'x', workspace: 'web' });
      await other.close();
      return { conductor: answer };
    });
    expect(conductor.json).to.deep.include({ status: 503, code: 'run_unavailable' });
  });

  it('is written to its copy alone', async () => {
    bench.model.speak = playScript([
      { calls: [{ name: 'write_file', input: { path: 'dir/b.txt', text: 'two' } }] },
      { text: 'Done.' },
    ]);
    const conversation = conversationOf(await bench.run('Write'));
    expect(await readFile(join(bench.tree(conversation), 'dir/b.txt'), 'utf8')).to.equal('two');
  });
});
