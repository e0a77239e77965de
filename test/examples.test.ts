import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { expect } from 'chai';
import { beginAnthropic, endAnthropic, speakAnthropic } from '../conductor/testing/model-server.ts';
import { playScripts } from '../conductor/testing/scripted-model.ts';
import { openDocsWorld } from './harness/docs-world.ts';
import type { DocsWorld } from './harness/docs-world.ts';
import { readBlocks, readCalls } from './harness/page.ts';
import type { Call } from './harness/page.ts';
import type { Shell } from './harness/shell.ts';
import { writeTree } from './harness/sync-world.ts';
import { missingForTmux } from './harness/tmux.ts';
import type { Window } from './harness/tmux.ts';
import { waitFor } from './harness/wait.ts';

const PAGE = path.join(path.dirname(import.meta.dirname), 'docs', 'cli.md');

/** What the examples name: a repository on a laptop, whose tests pass. */
const FILES = {
  '.git/HEAD': 'ref: refs/heads/main\n',
  '.git/config': '[core]\n\trepositoryformatversion = 0\n',
  '.git/objects/.keep': '',
  '.git/refs/.keep': '',
  'package.json': '{ "scripts": { "test": "node --check test.js" } }\n',
  'test.js': 'true;\n',
  'src/parse.ts': 'export const parse = (text: string): string[] => text.split(" ");\n',
  'config/test.pem': '-----BEGIN PRIVATE KEY-----\nMIIsecret\n-----END PRIVATE KEY-----\n',
  'key.txt': 'sk-of-the-examples-0123456789\n',
};

/** What the agent does with every task: it writes a file, and says so. */
const SCRIPTS = ['fix the failing test', 'and add one for the edge', 'write all of it anew', 'update the client'].map(
  (match) => {
    const call = { name: 'write_file', input: { path: 'notes.txt', text: `${match}\n` } };
    return { match, steps: [{ text: 'So be it.', calls: [call] }, { text: 'Done.' }] };
  },
);
const LONG = 'take your time';

/** The id of the page's examples is that of the last conversation of the folder. */
const ID = '4dd3c3a4';
const FIND_ID = '$(spoq sessions --here --json | head -1 | cut -c8-15)';

/** Exit codes that aren't 0, and why. */
const EXITS: Record<string, { code: number; because: string }> = {
  'spoq sync --watch': { code: 130, because: 'it goes on until Ctrl-C, as the page says' },
};

/** Programs besides spoq that examples use and that may be missing on a computer. */
const NEEDS = ['jq', 'npm'];

/** Sections that begin without a sign-in, and those that go on with a conversation of their folder. */
const SIGNED_OUT = ['Signing in'];
const WITH_CONVERSATION = ['Conversations', 'A conversation in the terminal'];
/** Sections of which each has a terminal of its own while the others are tried: they wait for long. */
const ASIDE = ['Signing in', 'Running'];

interface Scene {
  world: DocsWorld;
  laptop: Shell;
  window: Window;
  /** Lets the model go on that takes its time. */
  goOn(): void;
}

const press =
  (question: string, ...keys: string[]) =>
  async ({ window }: Scene): Promise<void> => {
    await window.see(question);
    await window.press(...keys);
  };
const leaveConversation = press('Ctrl-D leaves.', 'C-d');
const signInAgain = press('Sign in again?', 'y');

async function approveInBrowser({ world, laptop }: Scene): Promise<void> {
  await world.approve(await waitFor('the browser', () => laptop.openedUrl()));
}

async function approveElsewhere({ world, window }: Scene): Promise<void> {
  await window.see('Approve only if the page shows this code');
  const [url = ''] = /http\S+code=\S+/.exec((await window.lines()).join('\n')) ?? [];
  await world.approve(url);
}

/** What the person does where an example asks for something. */
const DEEDS: Record<string, ((scene: Scene) => Promise<void>)[]> = {
  'spoq init': [approveInBrowser],
  'spoq init --browser': [signInAgain, approveInBrowser],
  'spoq init --no-browser': [signInAgain, approveElsewhere],
  'spoq init --force': [approveInBrowser],
  'spoq uninstall': [press('as well?', 'n')],
  'spoq discard': [press('Drop 1 changed file', 'y')],
  'spoq keys set anthropic': [press('Key of anthropic', ...'sk-ant-of-the-examples-9876', 'Enter')],
  'spoq sync --watch': [press('In sync', 'C-c')],
  'spoq attach': [({ window }) => window.see('Slowly,'), ({ goOn }) => Promise.resolve(goOn())],
  spoq: [leaveConversation],
  'spoq -c': [leaveConversation],
  'spoq chat --continue': [leaveConversation],
  'spoq resume': [leaveConversation],
  [`spoq resume ${ID}`]: [leaveConversation],
};

/** A line of the page without its comment. */
const withoutComment = (command: string): string => command.replace(/ +# .*$/, '');

interface Outcome {
  code: number;
  lines: string[];
}

describe('the examples of docs/cli.md', function () {
  this.timeout(60_000);
  const calls = readCalls(readBlocks(PAGE));
  const sections = Map.groupBy(calls, ({ section }) => section);
  const outcomes = new Map<Call, Promise<Outcome>>();
  const missing = NEEDS.filter((program) => spawnSync(program, ['--version']).status !== 0);
  let world: DocsWorld;
  let time = Promise.withResolvers<void>();

  before(async function () {
    const reason = missingForTmux();
    if (reason !== undefined) {
      process.stderr.write(`The examples are not tried: ${reason}.\n`);
      this.skip();
    }
    world = await openDocsWorld();
    const play = playScripts(SCRIPTS, { text: 'So it is.' });
    world.model.speak = async (res, call, number) => {
      if (!JSON.stringify(call.body['messages'] ?? '').includes(LONG)) return play(res, call, number);
      beginAnthropic(res);
      speakAnthropic(res, 'Slowly, but surely.');
      await time.promise;
      endAnthropic(res);
    };
    const lanes = Map.groupBy(sections.keys(), (section) => (ASIDE.includes(section) ? section : 'the others'));
    const ended = new Map<string, Promise<unknown>>();
    for (const [lane, names] of lanes) ended.set(lane, walkLane(names));
    /** One after the other; whether they have failed their own tests tell. */
    async function walkLane(names: string[]): Promise<void> {
      const waits = names.flatMap((name) => (sections.get(name) ?? []).map((call) => [call, defer(call)] as const));
      let laptop: Shell | undefined;
      for (const [call, { resolve, reject }] of waits) {
        try {
          if (laptop === undefined || path.basename(laptop.home) !== slug(call.section))
            laptop = await openLaptop(call.section);
          // Else it could be a run of another section that is at work.
          if (withoutComment(call.command) === 'spoq attach') await ended.get('Running');
          resolve(await run(laptop, withoutComment(call.command)));
        } catch (error) {
          reject(error);
        }
      }
    }
  });
  after(() => world?.[Symbol.asyncDispose]());

  function defer(call: Call): PromiseWithResolvers<Outcome> {
    const deferred = Promise.withResolvers<Outcome>();
    deferred.promise.catch(() => undefined); // its test awaits it
    outcomes.set(call, deferred.promise);
    return deferred;
  }

  const slug = (section: string): string => section.toLowerCase().replaceAll(/\W+/g, '-');

  /** A laptop for a section, in a project of its own. */
  async function openLaptop(section: string): Promise<Shell> {
    const laptop = await world.openLaptop(slug(section), { signedIn: !SIGNED_OUT.includes(section) });
    laptop.cwd = path.join(laptop.home, slug(section));
    writeTree(laptop.cwd, FILES);
    mkdirSync(path.join(laptop.home, '.config', 'fish', 'completions'), { recursive: true });
    if (WITH_CONVERSATION.includes(section)) await laptop.run('spoq ask "what is there?"');
    return laptop;
  }

  async function run(laptop: Shell, command: string): Promise<Outcome> {
    world.install(laptop);
    const typed = `set -o pipefail; ${command.replaceAll(ID, FIND_ID)}`;
    const working = command === 'spoq attach' ? beginLongAnswer(laptop) : undefined;
    await working?.begun;
    const outcome = await laptop.run(typed, async (window) => {
      for (const deed of DEEDS[command] ?? []) await deed({ world, laptop, window, goOn: () => time.resolve() });
    });
    await working?.ended;
    return outcome;
  }

  /** Something that is at work on the box. */
  function beginLongAnswer({ cwd, env }: Shell): { begun: Promise<unknown>; ended: Promise<unknown> } {
    time = Promise.withResolvers();
    const child = spawn('spoq', ['ask', LONG], { cwd, env, stdio: ['ignore', 'pipe', 'ignore'] });
    return { begun: once(child.stdout, 'data'), ended: once(child, 'close') };
  }

  it('are there for every command of spoq', async () => {
    const laptop = await world.openLaptop('somebody', { signedIn: false });
    const { lines } = await laptop.run('spoq help');
    const listed = lines.slice(lines.indexOf('Commands:') + 1).flatMap((line) => /^ {2}([a-z]+)/.exec(line)?.[1] ?? []);
    expect(listed).to.include.members(['ask', 'run', 'sync', 'help']);
    const shown = calls.map(({ command }) => /(?:^|[ (])spoq ([a-z]+)/.exec(command)?.[1]);
    expect(listed.filter((command) => !shown.includes(command))).to.deep.equal([]);
  });

  it('are all tried, and what is told of them here is told of one', () => {
    const lines = calls.map(({ command }) => withoutComment(command));
    expect(calls.filter((call) => !outcomes.has(call))).to.deep.equal([]);
    expect([...Object.keys(EXITS), ...Object.keys(DEEDS)].filter((one) => !lines.includes(one))).to.deep.equal([]);
    const told = [...SIGNED_OUT, ...WITH_CONVERSATION, ...ASIDE];
    expect(told.filter((section) => !sections.has(section))).to.deep.equal([]);
  });

  for (const call of calls)
    it(`${call.section}${call.section === '' ? '' : ': '}${withoutComment(call.command)}`, async function () {
      if (missing.some((program) => call.command.split(/[ |]+/).includes(program))) {
        process.stderr.write(`Not tried without ${missing.join(' and ')}.\n`);
        this.skip();
      }
      const { code, lines } = (await outcomes.get(call)) as Outcome;
      const { code: wanted, because } = EXITS[withoutComment(call.command)] ?? { code: 0, because: 'all went well' };
      expect(code, `${wanted}: ${because}. It said:\n${lines.join('\n')}\n`).to.equal(wanted);
    });
});
