import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { startControlPlane } from '../../conductor/testing/control-plane.ts';
import type { TestControlPlane } from '../../conductor/testing/control-plane.ts';
import {
  beginAnthropic,
  endAnthropic,
  sayAnthropic,
  speakAnthropic,
  startModelServer,
} from '../../conductor/testing/model-server.ts';
import type { TestModelServer } from '../../conductor/testing/model-server.ts';
import { startConductor } from '../../conductor/testing/start-conductor.ts';
import type { TestConductor } from '../../conductor/testing/start-conductor.ts';
import { waitUntil } from '../../conductor/testing/wait-until.ts';
import { runCli } from '../program.ts';
import { createTestDeps } from '../testing/create-test-deps.ts';
import type { TestDeps, TestDepsOptions } from '../testing/create-test-deps.ts';

describe('conversations, from the command line of a box', () => {
  let plane: TestControlPlane;
  let model: TestModelServer;
  let conductor: TestConductor;
  let folder: string;

  before(async () => {
    plane = await startControlPlane();
  });
  after(() => plane.close());
  beforeEach(async () => {
    model = await startModelServer();
    conductor = await startConductor({ plane, model: { baseUrl: model.url } });
    folder = await mkdtemp(join(tmpdir(), 'sessions-'));
    const marker = { vps: true, conductor: `http://localhost:${conductor.local.port}`, version: '0.0.0' };
    await writeFile(join(folder, 'vps.marker'), JSON.stringify(marker));
  });
  afterEach(async () => {
    await conductor.close();
    await model.close();
    await rm(folder, { recursive: true });
  });

  function prepare(options: TestDepsOptions = {}): TestDeps {
    const env = { SPOQ_VPS_MARKER: join(folder, 'vps.marker') };
    return createTestDeps({ cwd: folder, homeFolder: folder, now: Date.now, ...options, env });
  }

  async function spoq(args: string[], options?: TestDepsOptions): Promise<{ code: number; out: string; err: string }> {
    const deps = prepare(options);
    const code = await runCli(deps, args);
    return { code, out: deps.out(), err: deps.err() };
  }

  const ask = (...args: string[]): ReturnType<typeof spoq> => spoq(['ask', '--no-repo', ...args]);

  it('are listed, with where and when, on two lines each', async () => {
    expect(await spoq(['sessions'])).to.deep.equal({ code: 0, out: '', err: 'Nothing has been asked yet.\n' });
    await ask('what is it?');
    await ask('and what is this?');
    const { out, err } = await spoq(['sessions']);
    const name = folder.split('/').at(-1) ?? '';
    expect(out.replaceAll(/^[\da-f]{8}/gm, 'ID').replaceAll(/\d s ago/g, '0 s ago')).to.equal(
      `ID  and what is this?\n          ask, ${name}, 0 s ago\nID  what is it?\n          ask, ${name}, 0 s ago\n`,
    );
    expect(err).to.equal('');
    const first = await spoq(['sessions', '--limit', '1']);
    expect(first.err).to.equal('There are more: spoq sessions --limit 2\n');
    const lines = (await spoq(['sessions', '--json'])).out.trimEnd().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { title: string }).title)).to.deep.equal([
      'and what is this?',
      'what is it?',
    ]);
  });

  it('are gone on with: the last one of the folder, or another one by its id', async () => {
    const none = await ask('-c', 'go on');
    expect(none.code).to.equal(1);
    expect(none.err).to.contain('Nothing has been asked in').and.contain('Begin one with `spoq ask');
    await ask('first');
    await ask('second');
    await ask('-c', 'and then?');
    expect(model.calls.map(({ body }) => (body['messages'] as unknown[]).length)).to.deep.equal([1, 1, 3]);
    const [, id = ''] = (await spoq(['sessions'])).out.match(/^([\da-f]{8}) {2}first$/m) ?? [];
    await ask('--in', id, 'and the first?');
    expect(JSON.stringify(model.calls[3]?.body['messages'])).to.contain('first').and.not.contain('second');
    const both = await ask('--in', id, '-c', 'x');
    expect([both.code, both.err]).to.deep.equal([
      64,
      "✗ The request is not valid.\n  option '-c, --continue' cannot be used with option '--in <id>'\n  See spoq help.\n",
    ]);
  });

  it('are read again, with what was asked', async () => {
    await ask('what is it?');
    const { code, out, err } = await spoq(['resume']);
    expect([code, out]).to.deep.equal([0, 'Hello there\n']);
    expect(err.replace(/[\da-f]{8}/, 'ID')).to.equal(
      '> what is it?\n12 tokens in, 7 out, $0.000094, claude-sonnet-5-5\nGo on with: spoq ask --in ID "…"\n',
    );
    const json = await spoq(['resume', '--json']);
    expect(
      json.out
        .trimEnd()
        .split('\n')
        .map((line) => (JSON.parse(line) as { type: string }).type),
    ).to.deep.equal(['start', 'text', 'done']);
  });

  it('are read without an id: the last one of the folder, and at home on the box the last one of all', async () => {
    const project = join(folder, 'web');
    await mkdir(join(project, '.git'), { recursive: true });
    await ask('asked at home');
    await spoq(['ask', '--no-repo', 'asked in a project'], { cwd: project });
    const other = join(folder, 'other');
    await mkdir(join(other, '.git'), { recursive: true });
    expect((await spoq(['resume'], { cwd: project })).err).to.contain('> asked in a project');
    expect((await spoq(['resume'])).err).to.contain('> asked in a project');
    expect((await spoq(['resume'], { cwd: other })).err).to.contain('Nothing has been asked in other yet.');
  });

  it('are gone along with while they are at work, and left at work by Ctrl-C', async () => {
    const { promise: enough, resolve: go } = Promise.withResolvers<void>();
    model.speak = async (res) => {
      beginAnthropic(res);
      speakAnthropic(res, 'first');
      await enough;
      speakAnthropic(res, ' second');
      endAnthropic(res);
    };
    const asking = ask('what is it?');
    const other = prepare();
    await waitUntil('it to be at work', async () => (await spoq(['sessions', '--json'])).out.includes('"running"'));
    const attached = runCli(other, ['attach']);
    await waitUntil('the first word', () => other.out().includes('first'));
    other.stop.abort();
    expect(await attached).to.equal(130);
    expect(other.err()).to.match(/^> what is it\?\nIt goes on without you: spoq attach [\da-f]{8}\n$/);
    go();
    expect((await asking).out).to.equal('first second\n');
  });

  it('say that nothing is at work', async () => {
    const { code, err } = await spoq(['attach']);
    expect([code, err]).to.deep.equal([
      1,
      '✗ There is no such conversation.\n  Nothing is at work on the box.\n  Read what was said with `spoq resume`, or see `spoq sessions`.\n',
    ]);
  });

  it('end on the box when Ctrl-C is pressed where they were asked', async () => {
    model.speak = (res) => {
      beginAnthropic(res);
      speakAnthropic(res, 'first');
    };
    const deps = prepare();
    const asking = runCli(deps, ['ask', '--no-repo', 'what is it?']);
    await waitUntil('the first word', () => deps.out().includes('first'));
    deps.stop.abort();
    await asking;
    await waitUntil('the call to be dropped', () => model.calls[0]?.dropped === true);
  });

  it('are deleted, and only those that there are', async () => {
    model.speak = (res) => sayAnthropic(res, ['x']);
    await ask('what is it?');
    const id = (await spoq(['sessions'])).out.slice(0, 8);
    expect(await spoq(['sessions', '--delete', id])).to.deep.equal({ code: 0, out: 'Deleted: what is it?\n', err: '' });
    const again = await spoq(['sessions', '--delete', id]);
    expect(again.code).to.equal(1);
    expect(again.err).to.contain(`No conversation begins with ${id}.`);
    const wrong = await spoq(['sessions', '--limit', '0']);
    expect(wrong.err).to.contain('It must be a whole number from 1 to 200.');
  });
});
