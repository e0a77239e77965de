import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Credentials } from '../../contract/files.ts';
import { runCommand } from '../run-command.ts';
import { openCutLine } from './cut-line.ts';
import type { CutLine } from './cut-line.ts';
import { check } from './story.ts';
import type { Step } from './story.ts';
import type { World } from './world.ts';

const TASK = 'fix the sum';
const FILES = {
  'sum.sh': 'add() { echo $(($1 - $2)); }\n',
  'test.sh': '. ./sum.sh\n[ "$(add 1 2)" = 3 ] || { echo failed; exit 1; }\necho passed\n',
};
/** What the sandbox's model does, slowly enough for a line to be cut in the middle of it. */
const SCRIPT = {
  match: TASK,
  steps: [
    { text: 'The tests first.', calls: [{ name: 'shell', input: { command: 'sleep 2; sh test.sh' } }] },
    {
      expect: 'failed',
      text: 'It subtracts.',
      calls: [{ name: 'edit_file', input: { path: 'sum.sh', edits: [{ old: '$1 - $2', new: '$1 + $2' }] } }],
    },
    { calls: [{ name: 'shell', input: { command: 'sleep 2; sh test.sh' } }] },
    { expect: 'passed', text: 'It adds now, and the tests pass.' },
  ],
};

/** What a run has come to, without what is different each time. */
interface Told {
  events: unknown[];
  patch: string;
}

/** Lets the agent repair the project on the box. Answers what was told of it, and takes the patch. */
async function repair(world: World): Promise<Told> {
  await beginProject(world);
  check((await testHere(world)) === 'failed', 'the tests pass before anything was repaired');
  const { code, stdout, stderr } = await world.runSpoq(['run', '--json', TASK]);
  check(code === 0, `spoq run ended with ${code}: ${stderr}${stdout}`);
  check((await testHere(world)) === 'failed', 'the run has changed the folder here');
  const events = readEvents(stdout);
  const diff = await world.runSpoq(['diff']);
  check(
    diff.code === 0 && diff.stdout.includes('+add() { echo $(($1 + $2)); }'),
    `spoq diff: ${diff.stdout}${diff.stderr}`,
  );
  const apply = await world.runSpoq(['apply']);
  check(apply.code === 0, `spoq apply ended with ${apply.code}: ${apply.stdout}${apply.stderr}`);
  check((await testHere(world)) === 'passed', 'the tests fail here though the patch was taken');
  return { events, patch: diff.stdout };
}

async function beginProject(world: World): Promise<void> {
  for (const name of readdirSync(world.repository)) rmSync(path.join(world.repository, name), { recursive: true });
  for (const [name, text] of Object.entries(FILES)) writeFileSync(path.join(world.repository, name), text);
  const result = await runCommand('git', ['init', '-q', '-b', 'main'], {
    cwd: world.repository,
    env: { PATH: world.run.environment['PATH'], GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' },
  });
  check(result.code === 0, `git init failed: ${result.stderr}`);
}

/** From here on `spoq` reaches the box by a line that can be cut. */
async function takeLine(world: World): Promise<CutLine> {
  const file = path.join(world.run.scratch, 'home', '.spoq', 'credentials');
  const credentials = Credentials.parse(JSON.parse(readFileSync(file, 'utf8')));
  const taken = await openCutLine(new URL(credentials.vps_hostname));
  writeFileSync(file, JSON.stringify({ ...credentials, vps_hostname: taken.url }), { mode: 0o600 });
  return taken;
}

async function testHere(world: World): Promise<string> {
  const env = { PATH: world.run.environment['PATH'] };
  return (await runCommand('sh', ['test.sh'], { cwd: world.repository, env })).stdout.trim();
}

/** Words and output may arrive in other pieces each time; ids and times are their own. */
function readEvents(lines: string): unknown[] {
  const told: Record<string, unknown>[] = [];
  for (const line of lines.trim().split('\n')) {
    const event = JSON.parse(line) as Record<string, unknown>;
    const last = told.at(-1);
    if (event['code'] === 'preparing') continue;
    if (last !== undefined && last['type'] === event['type'] && ['text', 'tool_output'].includes(String(event['type'])))
      last['text'] = `${String(last['text'])}${String(event['text'])}`;
    else told.push(event);
  }
  const volatile = ['id', 'at', 'conversation', 'call', 'input_tokens', 'output_tokens', 'cost_usd'];
  return told.map((event) => Object.fromEntries(Object.entries(event).filter(([name]) => !volatile.includes(name))));
}

/** What the steps tell each other. */
let line: CutLine | undefined;
let whole: Told | undefined;

/** What the agent does on the box: a bug is repaired there, and the patch taken here. */
export const AGENT: readonly Step<World>[] = [
  {
    name: 'run',
    title: 'spoq run repairs a bug on the box',
    async run(world) {
      const response = await fetch(`${world.run.urls.anthropic}/_sandbox/scripts`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(SCRIPT),
      });
      check(response.ok, `the sandbox answered ${response.status} to the script`);
      line = await takeLine(world);
      whole = await repair(world);
      return `${whole.events.length} events; the tests pass here with the patch`;
    },
  },
  {
    name: 'cut',
    title: 'the same while the line is cut every second',
    async run(world) {
      const stop = line?.cutEvery(1000);
      const told = await repair(world);
      const cuts = stop?.() ?? 0;
      check(cuts > 2, `the line was cut ${cuts} times only`);
      check(told.patch === whole?.patch, `another patch: ${told.patch}`);
      const [one, other] = [JSON.stringify(told.events), JSON.stringify(whole?.events)];
      check(one === other, `other events: ${one} instead of ${other}`);
      return `cut ${cuts} times; the same ${told.events.length} events, the same patch`;
    },
  },
  {
    name: 'exec',
    title: 'spoq run -- a program, and back its exit code',
    async run(world) {
      const { code, stdout, stderr } = await world.runSpoq(['run', '--', 'sh', '-c', 'id -un; echo no >&2; exit 9']);
      check(code === 9 && stdout === 'agent\n' && stderr.includes('no\n'), `${code}: ${stdout}${stderr}`);
      const sessions = await world.runSpoq(['sessions', '--json', '--here']);
      const titles = sessions.stdout
        .trim()
        .split('\n')
        .map((one) => (JSON.parse(one) as { title: string }).title);
      check(titles.filter((title) => title === TASK).length === 2, `spoq sessions lists ${titles.join(', ')}`);
      return `as its own account there; ${titles.length} conversations`;
    },
  },
];
