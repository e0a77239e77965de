import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { openEvents, send } from '../testing/client.ts';
import { startControlPlane } from '../testing/control-plane.ts';
import type { TestControlPlane } from '../testing/control-plane.ts';
import { playScript, readResults } from '../testing/scripted-model.ts';
import { waitUntil } from '../testing/wait-until.ts';
import { ofType, readAll, readUntil, startBench } from './testing.ts';
import type { RunBench } from './testing.ts';

const TAG = 'git tag --force x && echo done >> log';

describe('approvals', () => {
  let plane: TestControlPlane;
  let bench: RunBench;

  before(async () => {
    plane = await startControlPlane();
  });
  after(() => plane.close());
  beforeEach(async () => {
    const rules = { allow: [], ask: ['shell(git tag)'], deny: ['edit(secret.txt)'] };
    bench = await startBench(plane, { 'a.txt': 'a\n' }, { runs: { rules } });
    bench.model.speak = playScript([{ calls: [{ name: 'shell', input: { command: TAG } }] }, { text: 'Done.' }]);
  });
  afterEach(() => bench.close());

  async function beginWaiting(body: object = {}): Promise<{
    conversation: string;
    approval: string;
    stream: Awaited<ReturnType<RunBench['begin']>>;
    rule: string;
  }> {
    const stream = await bench.begin('/api/run', { task: 'Commit', ...body });
    const { conversation } = await readUntil(stream, 'start');
    const { approval, rule } = await readUntil(stream, 'approval_request');
    return { conversation, approval, stream, rule };
  }
  const decide = (
    conversation: string,
    approval: string,
    decision: string,
    by?: string,
  ): ReturnType<RunBench['post']> =>
    bench.post(`/api/conversations/${conversation}/approvals/${approval}`, {
      decision,
      ...(by === undefined ? {} : { by }),
    });
  const stateOf = async (conversation: string): Promise<unknown> =>
    ((await send(bench.conductor.local, { path: `/api/conversations/${conversation}` })).json as { state: string })
      .state;
  const log = (conversation: string): Promise<string> => readFile(join(bench.tree(conversation), 'log'), 'utf8');

  it('are asked for, and given once from any device', async () => {
    const { conversation, approval, stream, rule } = await beginWaiting();
    expect(rule).to.equal('shell(git tag --force x)');
    expect(await stateOf(conversation)).to.equal('waiting');
    expect((await decide(conversation, approval, 'allow', 'phone')).json).to.deep.equal({ decision: 'allow' });
    const rest = await readAll(stream);
    expect(rest[0]).to.deep.include({ type: 'approval', approval, decision: 'allow', by: 'phone' });
    expect(rest.map(({ type }) => type)).to.deep.equal([
      'approval',
      'tool_call',
      'tool_result',
      'text',
      'changes',
      'done',
    ]);
    expect(await log(conversation)).to.equal('done\n');
    expect((await decide(conversation, approval, 'deny')).json).to.deep.include({
      status: 409,
      code: 'approval_decided',
      detail: 'It was answered with "allow".',
    });
    // Once is once.
    const again = await beginWaiting();
    expect((await decide(again.conversation, again.approval, 'deny')).status).to.equal(200);
    await readAll(again.stream);
  });

  it('count once when two answer at the same time', async () => {
    const { conversation, approval, stream } = await beginWaiting();
    const answers = await Promise.all(['allow', 'deny', 'always'].map((one) => decide(conversation, approval, one)));
    expect(answers.map(({ status }) => status).toSorted()).to.deep.equal([200, 409, 409]);
    expect(ofType(await readAll(stream), 'approval').length).to.equal(1);
  });

  it('are kept for the workspace when they are given for good', async () => {
    const { conversation, approval, stream } = await beginWaiting();
    await decide(conversation, approval, 'always');
    expect(ofType(await readAll(stream), 'tool_result')[0]?.outcome).to.equal('ok');
    await bench.restart();
    const events = await bench.run('Commit again');
    expect(ofType(events, 'approval_request')).to.deep.equal([]);
    expect(ofType(events, 'tool_result')[0]?.outcome).to.equal('ok');
    // What is like it is asked for all the same.
    bench.model.speak = playScript([
      { calls: [{ name: 'shell', input: { command: 'git tag y' } }] },
      { text: 'Done.' },
    ]);
    const other = await beginWaiting();
    await decide(other.conversation, other.approval, 'deny');
    await readAll(other.stream);
  });

  it('are told to the model when they are denied, and nothing is done', async () => {
    const { conversation, approval, stream } = await beginWaiting();
    await decide(conversation, approval, 'deny');
    const [, , result] = await readAll(stream);
    const summary = 'not done: the answer was no';
    expect(result).to.deep.include({ type: 'tool_result', outcome: 'denied', summary });
    expect(readResults(bench.model.calls[1] as never)[0]).to.contain('The developer said no. It was not done.');
  });

  it('are not asked for what is denied or allowed beforehand', async () => {
    bench.model.speak = playScript([
      {
        calls: [
          { name: 'write_file', input: { path: 'secret.txt', text: 'x' } },
          { name: 'shell', input: { command: TAG } },
          { name: 'shell', input: { command: 'rm a.txt' } },
        ],
      },
      { text: 'Done.' },
    ]);
    const events = await bench.run('x', { allow: ['shell(git tag *)'], deny: ['shell(rm)'] });
    expect(ofType(events, 'tool_result').map(({ outcome }) => outcome)).to.deep.equal(['denied', 'ok', 'denied']);
    expect(ofType(events, 'tool_result')[0]?.summary).to.equal('not done: the rule edit(secret.txt) denies it');
    expect(ofType(events, 'approval_request')).to.deep.equal([]);
    expect(readResults(bench.model.calls[1] as never)[0]).to.contain(
      'The rule edit(secret.txt) of the developer denies it.',
    );
  });

  it('wait over restarts, without an end and without a call of the model', async () => {
    const { conversation, approval, stream } = await beginWaiting();
    const restarting = bench.restart();
    expect(await readAll(stream)).to.deep.equal([]);
    await restarting;
    expect(await stateOf(conversation)).to.equal('waiting');
    await bench.restart();
    const path = `/api/conversations/${conversation}/events?turn=1`;
    const other = await openEvents(bench.conductor.local, path);
    await readUntil(other, 'approval_request');
    expect((await decide(conversation, approval, 'allow')).status).to.equal(200);
    const rest = await readAll(other);
    // A restart before it had come to its question again is told of.
    expect(rest.map(({ type }) => type).filter((type) => type !== 'notice')).to.deep.equal([
      'approval',
      'tool_call',
      'tool_result',
      'text',
      'changes',
      'done',
    ]);
    expect(await log(conversation)).to.equal('done\n');
    expect(bench.model.calls.length).to.equal(2);
  });

  it('are over when the run is interrupted', async () => {
    const { conversation, approval, stream } = await beginWaiting();
    const interrupted = await bench.post(`/api/conversations/${conversation}/interrupt`);
    expect(interrupted.json).to.deep.equal({ interrupted: true });
    expect((await readAll(stream)).at(-1)).to.deep.include({ type: 'error', code: 'cancelled' });
    expect((await decide(conversation, approval, 'allow')).json).to.deep.include({
      code: 'approval_decided',
      detail: 'Nothing waits for it any more.',
    });
    const events = await readAll(await bench.begin('/api/run', { task: 'Again', conversation }));
    // The model is told what became of its call.
    expect(JSON.stringify(bench.model.calls.at(-1)?.body['messages'])).to.contain('It was not done');
    expect(events.at(-1)?.type).to.equal('done');
  });

  it('are asked once for a host, whatever wants it', async () => {
    bench.model.speak = playScript([
      {
        calls: [
          {
            name: 'shell',
            input: { command: 'curl -sS http://example.invalid/ & curl -sS http://example.invalid/; wait; true' },
          },
        ],
      },
      { text: 'Done.' },
    ]);
    const { conversation, approval, stream, rule } = await beginWaiting();
    expect(rule).to.equal('network(example.invalid)');
    await decide(conversation, approval, 'deny');
    const rest = await readAll(stream);
    expect(ofType(rest, 'approval_request')).to.deep.equal([]);
    expect(rest.at(-1)?.type).to.equal('done');
  });

  it('are none that can be guessed, nor of another conversation', async () => {
    const one = await beginWaiting();
    const other = await beginWaiting();
    for (const [conversation, approval] of [
      [one.conversation, randomUUID()],
      [one.conversation, 'x'],
      [other.conversation, one.approval],
    ] as const)
      expect((await decide(conversation, approval, 'allow')).json).to.deep.include({
        status: 404,
        code: 'approval_unknown',
      });
    const wrong = await decide(one.conversation, one.approval, 'perhaps');
    expect(wrong.status).to.equal(400);
    // Nothing of it is told to the model, nor to what it starts.
    expect(JSON.stringify(bench.model.calls)).not.to.contain(one.approval);
    for (const { conversation, approval, stream } of [one, other]) {
      await decide(conversation, approval, 'deny');
      await readAll(stream);
    }
  });

  it('of programs that are run are asked for in the same way', async () => {
    const stream = await bench.begin('/api/exec', { argv: ['curl', '-sSf', 'http://example.invalid/'] });
    const { conversation } = await readUntil(stream, 'start');
    const { approval } = await readUntil(stream, 'approval_request');
    await decide(conversation, approval, 'deny');
    const rest = await readAll(stream);
    expect(ofType(rest, 'exit')[0]?.code).to.not.equal(0);
    await waitUntil('its end', async () => (await stateOf(conversation)) === 'idle');
  });
});
