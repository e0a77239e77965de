import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { startBench } from '../../conductor/run/testing.ts';
import type { RunBench } from '../../conductor/run/testing.ts';
import { startControlPlane } from '../../conductor/testing/control-plane.ts';
import type { TestControlPlane } from '../../conductor/testing/control-plane.ts';
import { playScript } from '../../conductor/testing/scripted-model.ts';
import { waitUntil } from '../../conductor/testing/wait-until.ts';
import { runCli } from '../program.ts';
import { createTestDeps } from '../testing/create-test-deps.ts';
import type { TestDeps, TestDepsOptions } from '../testing/create-test-deps.ts';

const SUM = 'exports.sum = (a, b) => a - b;\n';
const bytes = randomBytes(100_000);

describe('spoq run, diff, apply and discard', () => {
  let plane: TestControlPlane;
  let bench: RunBench;
  let folder: string;
  let project: string;

  before(async () => {
    plane = await startControlPlane();
  });
  after(() => plane.close());
  beforeEach(async () => {
    const rules = { allow: [], ask: ['shell(git tag)'], deny: [] };
    bench = await startBench(plane, { 'sum.js': SUM, 'a.bin': bytes }, { runs: { rules } });
    folder = await mkdtemp(join(tmpdir(), 'run-'));
    project = join(folder, 'workspaces', 'web');
    await mkdir(join(project, '.git'), { recursive: true });
    await writeFile(join(project, 'sum.js'), SUM);
    await point();
    bench.model.speak = playScript([
      { calls: [{ name: 'edit_file', input: { path: 'sum.js', edits: [{ old: 'a - b', new: 'a + b' }] } }] },
      { calls: [{ name: 'shell', input: { command: 'seq 20' } }] },
      { text: 'Repaired.' },
    ]);
  });
  afterEach(async () => {
    await bench.close();
    await rm(folder, { recursive: true });
  });

  /** The marker of a box, which leads to its conductor. */
  async function point(): Promise<void> {
    const marker = { vps: true, conductor: `http://localhost:${bench.conductor.local.port}`, version: '0.0.0' };
    await writeFile(join(folder, 'vps.marker'), JSON.stringify(marker));
  }
  function prepare(options: TestDepsOptions = {}): TestDeps {
    const env = { SPOQ_VPS_MARKER: join(folder, 'vps.marker') };
    return createTestDeps({ cwd: project, homeFolder: folder, now: Date.now, ...options, env });
  }
  async function spoq(args: string[], options?: TestDepsOptions): Promise<TestDeps & { code: number }> {
    const deps = prepare(options);
    return { ...deps, code: await runCli(deps, args) };
  }
  const written = (deps: TestDeps, stream: 'stdout' | 'stderr' = 'stdout'): Buffer => Buffer.concat(deps.bytes[stream]);
  const TAG = [{ calls: [{ name: 'shell', input: { command: 'git tag x; true' } }] }, { text: 'Tagged.' }];

  it('repairs a bug on the box, shows the patch and takes it over', async () => {
    const run = await spoq(['run', 'fix', 'the', 'sum']);
    expect([run.code, run.out()]).to.deep.equal([0, 'Repaired.\n']);
    expect(run.err()).to.contain('● Edit sum.js\n  └ 1 place\n● $ seq 20\n  │ 1\n');
    expect(run.err()).to.contain('  │ 12\n  │ …\n  └ done\n');
    expect(run.err()).to.contain('1 file changed, +1 -1. Look: spoq diff. Take: spoq apply. Drop: spoq discard.');
    expect(await readFile(join(project, 'sum.js'), 'utf8')).to.equal(SUM);
    expect((await spoq(['sessions'])).out()).to.contain('1 changed file waits');
    expect(written(await spoq(['diff'])).toString()).to.contain('+exports.sum = (a, b) => a + b;\n');
    const apply = await spoq(['apply']);
    expect([apply.code, apply.out()]).to.deep.equal([0, 'sum.js  taken\n']);
    expect(await readFile(join(project, 'sum.js'), 'utf8')).to.equal('exports.sum = (a, b) => a + b;\n');
    const again = await spoq(['diff']);
    expect(again.code).to.equal(1);
    expect(again.err()).to.contain('No run of web has changes that wait.');
  });

  it('keeps both versions of what was changed on both sides, and says so', async () => {
    await spoq(['run', 'fix the sum']);
    await writeFile(join(project, 'sum.js'), 'mine\n');
    const apply = await spoq(['apply']);
    expect(apply.code).to.equal(1);
    expect(apply.out()).to.equal('sum.js  not taken\n');
    expect(apply.err()).to.contain("sum.js: changed on both sides in the same place - the box's is sum.js.from-box");
    expect(await readFile(join(project, 'sum.js'), 'utf8')).to.equal('mine\n');
    const refused = await spoq(['discard']);
    expect([refused.code, refused.err().includes('Add --yes if you mean it.')]).to.deep.equal([64, true]);
    const dropped = await spoq(['discard', '--yes', '--json']);
    expect(JSON.parse(dropped.out())).to.have.property('discarded').that.is.a('string');
  });

  it('asks on the terminal, and takes the answer', async () => {
    bench.model.speak = playScript(TAG);
    const run = await spoq(['run', 'tag'], { tty: true, choices: ['allow'] });
    expect([run.code, run.asked]).to.deep.equal([0, ['Allow this?\n  $ git tag x; true']]);
    expect(run.err()).to.contain('allowed once (test-laptop)');
    const denied = await spoq(['run', 'tag'], { tty: true, choices: ['deny'] });
    expect(denied.err()).to.contain('denied (test-laptop)');
    const yes = await spoq(['run', '--yes', 'tag']);
    expect([yes.code, yes.asked]).to.deep.equal([0, []]);
    const allowed = await spoq(['run', '--allow', 'shell(git tag *)', 'tag']);
    expect(allowed.err()).not.to.contain('allowed');
    const wrong = await spoq(['run', '--allow', 'shel(x)', 'tag']);
    expect([wrong.code, wrong.err().includes("allow: 'shel(x)' is no rule")]).to.deep.equal([64, true]);
  });

  it('asks below what the agent has said, and not in the middle of it', async () => {
    bench.model.speak = playScript([{ text: 'I tag it.', ...TAG[0] }, { text: 'Done.' }]);
    const deps = prepare({ tty: true, choices: ['allow'] });
    const { choose } = deps;
    const above: string[] = [];
    deps.choose = (question, choices, signal) => {
      above.push(deps.out());
      return choose(question, choices, signal);
    };
    expect(await runCli(deps, ['run', 'tag'])).to.equal(0);
    expect(above).to.deep.equal(['I tag it.\n']);
  });

  it('does not ask again what was answered, when it is read again', async () => {
    bench.model.speak = playScript(TAG);
    await spoq(['run', 'tag'], { tty: true, choices: ['allow'] });
    const { id } = JSON.parse((await spoq(['sessions', '--json'])).out()) as { id: string };
    const again = await spoq(['attach', id], { tty: true, choices: ['deny'] });
    expect([again.code, again.asked]).to.deep.equal([0, []]);
    expect(again.err()).to.contain('allowed once (test-laptop)');
  });

  it('waits without a terminal until another device answers, or fails at once', async () => {
    bench.model.speak = playScript(TAG);
    const waiting = prepare();
    const run = runCli(waiting, ['run', 'tag']);
    await waitUntil('the question', () => waiting.err().includes('Answer in a terminal: spoq attach'));
    const attached = await spoq(['attach'], { tty: true, choices: ['allow'] });
    expect(attached.asked.length).to.equal(1);
    expect(await run).to.equal(0);
    const fails = await spoq(['run', '--no-wait', 'tag']);
    expect(fails.code).to.equal(1);
    expect(fails.err()).to.contain('It asks: $ git tag x; true').and.contain('allow it beforehand with --allow');
  });

  it('runs a program as if it ran here', async () => {
    const run = await spoq(['run', '--', 'bash', '-c', 'cat a.bin; echo err >&2; exit 9', '--json']);
    expect([run.code, run.out(), withoutProgress(run.err())]).to.deep.equal([9, '', '']);
    expect(written(run).equals(bytes)).to.equal(true);
    expect(written(run, 'stderr').toString()).to.equal('err\n');
    const fed = await spoq(['run', '--', 'cat'], {
      async *input() {
        yield bytes;
        yield Buffer.from('end');
      },
    });
    expect([fed.code, written(fed).equals(Buffer.concat([bytes, Buffer.from('end')]))]).to.deep.equal([0, true]);
    const killed = await spoq(['run', '--', 'bash', '-c', 'kill -TERM $$']);
    expect(killed.code).to.equal(143);
    const changed = await spoq(['run', '--', 'bash', '-c', 'echo x > new']);
    expect(withoutProgress(changed.err())).to.equal(
      '1 file changed, +1 -0. Look: spoq diff. Take: spoq apply. Drop: spoq discard.\n',
    );
    const json = await spoq(['run', '--json', '--', 'echo', 'x']);
    const types = json
      .out()
      .trimEnd()
      .split('\n')
      .map((line) => (JSON.parse(line) as { type: string }).type);
    expect(types.filter((type) => type !== 'notice')).to.deep.equal(['start', 'tool_output', 'exit', 'done']);
  });

  it('gives it the terminal, and Ctrl-C; twice leaves it at work', async () => {
    const raw: boolean[] = [];
    let size = { columns: 70, rows: 20 };
    let resize = (): void => undefined;
    const keys = Promise.withResolvers<void>();
    const deps = prepare({
      tty: true,
      terminal: {
        size: () => size,
        setRaw: (on) => void raw.push(on),
        onResize(tell) {
          resize = tell;
          return () => undefined;
        },
      },
      async *input() {
        yield Buffer.from('hello\n');
        await keys.promise;
        yield Buffer.of(3);
        yield Buffer.of(3);
      },
    });
    const program =
      'trap "echo interrupted" INT; trap "stty size" WINCH; stty size; read x; echo "got $x"; while :; do sleep 0.05; done';
    const run = runCli(deps, ['run', '--', 'bash', '-c', program]);
    await waitUntil('the line', () => written(deps).toString().includes('got hello'));
    expect(written(deps).toString()).to.contain('20 70');
    size = { columns: 90, rows: 30 };
    resize();
    await waitUntil('the size', () => written(deps).toString().includes('30 90'));
    keys.resolve();
    expect(await run).to.equal(130);
    expect(deps.err()).to.match(/It goes on without you: spoq attach [\da-f]{8}\n$/);
    expect(raw).to.deep.equal([true, false]);
    await waitUntil('it to be at work', async () => (await spoq(['sessions', '--json'])).out().includes('"running"'));
  });

  it('gives Ctrl-C to a program without a terminal', async () => {
    const deps = prepare();
    const run = runCli(deps, [
      'run',
      '--',
      'bash',
      '-c',
      'trap "exit 5" INT; echo ready; while :; do sleep 0.05; done',
    ]);
    await waitUntil('its start', () => written(deps).toString().includes('ready'));
    deps.interrupt();
    expect(await run).to.equal(5);
  });

  it('goes on with a run that the box has cut off', async () => {
    bench.model.speak = playScript([
      { calls: [{ name: 'shell', input: { command: 'echo begun; sleep 30' } }] },
      { text: 'Went on.' },
    ]);
    const deps = prepare();
    const run = runCli(deps, ['run', 'wait']);
    await waitUntil('the call', () => deps.err().includes('begun'));
    await bench.restart({}, 50);
    await point();
    deps.stop.abort();
    await run;
    const resumed = await spoq(['resume']);
    expect([resumed.code, resumed.out()]).to.deep.equal([0, 'Went on.\n']);
    expect(resumed.err())
      .to.contain('interrupted: may have been done')
      .and.contain('It was cut off here, and goes on now.');
  });

  for (const [what, args, text] of [
    ['nothing to do', ['run'], 'There is nothing to do.'],
    ['a task and a program', ['run', 'x', '--', 'y'], 'There is a task, and a program behind --.'],
    ['a bad name', ['run', '--workspace', '../x', 'y'], "'../x' cannot be its name."],
  ] as const) {
    it(`refuses ${what}`, async () => {
      const { code, err } = await spoq([...args]);
      expect([code, err().includes(text)], err()).to.deep.equal([64, true]);
    });
  }
});

/** A machine that is busy says that it makes a place for the run. */
function withoutProgress(text: string): string {
  return text.replaceAll(/^.*…\n/gm, '');
}
