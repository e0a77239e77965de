import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { expect } from 'chai';
import { startControlPlane } from '../../conductor/testing/control-plane.ts';
import type { TestControlPlane } from '../../conductor/testing/control-plane.ts';
import { refuseAnthropic, sayAnthropic, startModelServer } from '../../conductor/testing/model-server.ts';
import type { TestModelServer } from '../../conductor/testing/model-server.ts';
import { startConductor } from '../../conductor/testing/start-conductor.ts';
import type { TestConductor } from '../../conductor/testing/start-conductor.ts';
import { runCli } from '../program.ts';
import { createTestDeps } from '../testing/create-test-deps.ts';
import type { TestDepsOptions } from '../testing/create-test-deps.ts';

const KEY = 'sk-planted-of-the-owner-9876';
const NOON = Date.UTC(2026, 10, 27, 12);

describe('models, budgets and keys, from the command line of a box', () => {
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
    model.speak = (res, { path }) => {
      if (path.endsWith('/models')) res.writeHead(200).end('{}');
      else sayAnthropic(res, ['Hello']);
    };
    conductor = await startConductor({
      plane,
      model: { baseUrl: model.url },
      ai: { aliases: { fast: 'claude-haiku-5-5' }, fallback: ['anthropic/claude-haiku-5-5'] },
      budget: { day: 5e6, month: 1_250e6, conversation: null },
      now: () => NOON,
    });
    folder = await mkdtemp(join(tmpdir(), 'models-'));
    const marker = { vps: true, conductor: `http://localhost:${conductor.local.port}`, version: '0.0.0' };
    await writeFile(join(folder, 'vps.marker'), JSON.stringify(marker));
  });
  afterEach(async () => {
    await conductor.close();
    await model.close();
    await rm(folder, { recursive: true });
  });

  interface Result {
    code: number;
    out: string;
    err: string;
    asked: string[];
  }

  async function spoq(args: string[], options: TestDepsOptions = {}): Promise<Result> {
    const env = { SPOQ_VPS_MARKER: join(folder, 'vps.marker') };
    const deps = createTestDeps({ cwd: folder, homeFolder: folder, now: () => NOON, ...options, env });
    const code = await runCli(deps, args);
    const all = deps.out() + deps.err() + deps.asked.join('');
    expect(all).not.to.include('planted');
    return { code, out: deps.out(), err: deps.err(), asked: deps.asked };
  }

  it('spoq models lists those that can be asked, with prices, on two lines that fit a phone', async () => {
    const { code, out, err } = await spoq(['models'], { tty: true, columns: 40 });
    expect([code, err]).to.deep.equal([0, "12 more can't be asked now: spoq models\n--all\n"]);
    const lines = stripVTControlCharacters(out).split('\n');
    expect(lines.slice(0, 6)).to.deep.equal([
      'anthropic/claude-sonnet-5-5',
      '  $2.00 in, $10.00 out a million tokens;',
      '  asked where nothing is said',
      'anthropic/claude-haiku-5-5',
      '  $0.10 in, $0.50 out a million tokens;',
      '  also fast; asked instead, no. 1',
    ]);
    for (const line of lines) expect(line.length).to.be.at.most(40);
    const all = await spoq(['models', '--all']);
    expect(all.out).to.include('openai/gpt-5.6\n  no key: spoq keys set openai\n');
    expect(JSON.parse((await spoq(['models', '--json'])).out)).to.have.property(
      'default',
      'anthropic/claude-sonnet-5-5',
    );
  });

  it('spoq ask --model asks that one, and says at the end what it took', async () => {
    const { code, out, err } = await spoq(['ask', '--no-repo', '--model', 'fast', 'why?']);
    expect([code, out]).to.deep.equal([0, 'Hello\n']);
    expect(err).to.include('\n12 tokens in, 7 out, $0.000005, claude-haiku-5-5\n');
    expect(model.calls[0]?.body['model']).to.equal('claude-haiku-5-5');
    const unknown = await spoq(['ask', '--no-repo', '--model', 'gpt-9', 'why?']);
    expect([unknown.code, unknown.err]).to.satisfy(
      ([exit, text]: [number, string]) =>
        exit === 64 && text.includes("'gpt-9' is no model") && text.includes('spoq models'),
    );
  });

  it('spoq ask says that another model is asked', async () => {
    model.speak = (res, { body }) => {
      if (body['model'] === 'claude-sonnet-5-5') refuseAnthropic(res, 529, 'overloaded_error');
      else sayAnthropic(res, ['Hello']);
    };
    const { err } = await spoq(['ask', '--no-repo', 'why?']);
    expect(err).to.include('claude-sonnet-5-5 is overloaded; claude-haiku-5-5 is asked instead.\n');
  });

  it('spoq budget shows what is spent and what is left', async () => {
    await spoq(['ask', '--no-repo', 'why?']);
    const { out } = await spoq(['budget']);
    expect(out).to.equal(`Today             $0.000094 of $5.00
                  begins anew in 12 h 0 min
This month        $0.000094 of $1,250.00
                  begins anew in 3 d 12 h
Each conversation no limit

$0.000094  anthropic/claude-sonnet-5-5, 1 call
`);
    const narrow = await spoq(['budget'], { tty: true, columns: 40 });
    for (const line of stripVTControlCharacters(narrow.out).split('\n')) expect(line.length).to.be.at.most(40);
  });

  it('spoq budget set changes what is named, and an ask stops there', async () => {
    const { out } = await spoq(['budget', 'set', '--day', '$0.00', '--conversation', '2.5', '--json']);
    expect(JSON.parse(out)).to.deep.nested.include({
      'day.limit_usd': 0,
      'month.limit_usd': 1_250,
      'conversation.limit_usd': 2.5,
    });
    const stopped = await spoq(['ask', '--no-repo', 'why?']);
    expect(stopped.code).to.equal(1);
    expect(stopped.err).to.match(
      /✗ The budget does not allow this call\.\n {2}The budget of today is \$0\.00: \$0\.00 is spent, and this call may cost up to \$0\.0\d+\. It opens again at 2026-11-28T00:00Z\.\n {2}Wait 12 h 0 min\.\n/,
    );
    await spoq(['budget', 'set', '--day', 'none']);
    expect((await spoq(['ask', '--no-repo', 'why?'])).code).to.equal(0);
  });

  for (const [args, words] of [
    [['budget', 'set'], 'It is not said which budget.'],
    [['budget', '--day', '5'], 'Try: spoq budget set --day 5'],
    [['budget', 'set', '--day', 'five'], 'It must be an amount of US dollars'],
    [['budget', 'set', '--day', '-5'], 'It must be an amount of US dollars'],
    [['budget', 'get'], "'get' is invalid"],
    [['keys'], "missing required argument 'action'"],
    [['keys', 'set'], 'It is not said of which provider.'],
    [['keys', 'list', 'openai'], 'All keys are listed.'],
    [['keys', 'set', 'anthropic'], 'There is no key.'],
  ] as const) {
    it(`spoq ${args.join(' ')} is told what is wrong`, async () => {
      const { code, err } = await spoq([...args]);
      expect([code, err]).to.satisfy(([exit, text]: [number, string]) => exit === 64 && text.includes(words));
    });
  }

  it('spoq keys set asks on a terminal, shows nothing, and the box uses it', async () => {
    const { code, out, err, asked } = await spoq(['keys', 'set', 'anthropic'], { tty: true, secret: KEY });
    expect([code, out, err, asked]).to.deep.equal([
      0,
      'The box asks anthropic with your key from now on (…9876): anthropic accepts it.\n',
      '',
      ['Key of anthropic (it is not shown):'],
    ]);
    await spoq(['ask', '--no-repo', 'why?']);
    expect(model.calls.at(-1)?.headers['x-api-key']).to.equal(KEY);
    const list = await spoq(['keys', 'list']);
    expect(list.out).to.equal('anthropic   …9876, yours, set 0 s ago, works\nopenai      none\n');
    const removed = await spoq(['keys', 'remove', 'anthropic']);
    expect(removed.out).to.equal('Removed your key of anthropic: the one that the box came with is used.\n');
    expect((await spoq(['keys', 'list'])).out).to.include('…cdef, came with the box, not checked');
    expect((await spoq(['keys', 'remove', 'anthropic'])).err).to.include("No key of yours is set for 'anthropic'.");
  });

  it('spoq keys set reads stdin, and speaks JSON', async () => {
    const { code, out } = await spoq(['keys', 'set', 'openai', '--no-check', '--json'], { stdin: `${KEY}\n` });
    expect(code).to.equal(0);
    expect(JSON.parse(out)).to.have.nested.property('keys[1].last_four', '9876');
    const removed = await spoq(['keys', 'remove', 'openai']);
    expect(removed.out).to.equal('Removed your key of openai: it has none now.\n');
  });

  it('spoq keys set ends at Ctrl-C, and nothing is changed', async () => {
    const { code, err } = await spoq(['keys', 'set', 'anthropic'], { tty: true });
    expect([code, err, model.calls.length]).to.deep.equal([130, 'Stopped.\n', 0]);
  });

  it('spoq keys set says that the provider refuses it, and that the old one is used', async () => {
    model.speak = (res) => refuseAnthropic(res, 401, 'authentication_error', {}, `bad ${KEY}`);
    const { code, err } = await spoq(['keys', 'set', 'anthropic'], { stdin: KEY });
    expect([code, err.replace(/ \(request .*\)/, '')]).to.deep.equal([
      1,
      '✗ The provider does not accept this key.\n  anthropic answered 401.\n  Check that it was copied whole and is of this provider. The key that was there is still used.\n',
    ]);
  });

  it('spoq keys set says that it could not be checked, and how to do without', async () => {
    model.speak = (res) => void res.destroy();
    const { code, err } = await spoq(['keys', 'set', 'anthropic'], { stdin: KEY });
    expect([code, err]).to.satisfy(
      ([exit, text]: [number, string]) =>
        exit === 69 && text.includes('anthropic could not be reached.') && text.includes('--no-check'),
    );
  });

  it('spoq keys set takes no key as an argument, and does not repeat what it was given', async () => {
    for (const args of [
      ['keys', KEY],
      ['keys', 'set', 'anthropic', KEY],
      ['keys', 'set', 'anthropic', '--key', KEY],
      ['keys', 'set', 'anthropic', `--key=${KEY}`],
    ]) {
      const { code, err } = await spoq(args);
      expect([code, err]).to.satisfy(
        ([exit, text]: [number, string]) => exit === 64 && text.includes('never an argument'),
      );
    }
    expect((await spoq(['keys', 'set', 'anthropic'], { stdin: 'two planted\nlines' })).code).to.equal(64);
    expect(model.calls).to.deep.equal([]);
  });
});
