import { expect } from 'chai';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { SIGN_UP } from '../tools/journey/signup.ts';
import { runStory } from '../tools/journey/story.ts';
import { createWorld, getFromBox } from '../tools/journey/world.ts';
import { PORT_OFFSETS, checkPorts } from '../tools/ports.ts';
import { prepare } from '../tools/prepare.ts';
import type { Prepared } from '../tools/prepare.ts';
import { endProcesses, findFamily, stillRunning } from '../tools/process-table.ts';
import { runCommand } from '../tools/run-command.ts';
import type { CommandResult } from '../tools/run-command.ts';
import { createTerminal } from '../tools/terminal.ts';
import { START_TIMEOUT_MS } from './harness/spoq.ts';
import { waitFor } from './harness/wait.ts';

const ROOT = path.dirname(import.meta.dirname);

/** `npm start` itself, with its state in a temporary folder and a block of ports of its own. */
describe('npm start', function () {
  this.timeout(START_TIMEOUT_MS);
  let dir: string;
  let base: number;
  let env: NodeJS.ProcessEnv;
  let prepared: Prepared;
  const running: ChildProcess[] = [];

  before(async () => {
    dir = mkdtempSync(path.join(tmpdir(), 'spoq-start-'));
    base = await findFreeBlock();
    const { SPOQ_ENV: _env, DATABASE_URL: _url, ...rest } = process.env;
    env = { ...rest, SPOQ_PORT: String(base), SPOQ_STATE_DIR: path.join(dir, 'state'), NO_COLOR: '1' };
    prepared = await prepare({ root: ROOT, env, terminal: createTerminal({ write: () => {} }) });
  });
  after(async () => {
    const families = running.flatMap(({ pid }) => (pid === undefined ? [] : findFamily(pid)));
    await endProcesses(families, 5000); // empty, unless a test has failed half-way
    rmSync(dir, { recursive: true, force: true });
  });

  interface Start {
    child: ChildProcess;
    output(): string;
    ended: Promise<number | null>;
  }

  /** Begins `npm start` and waits until it says that all runs, or ends. */
  async function start(...args: string[]): Promise<Start> {
    const child = spawn('npm', ['start', '--silent', '--', ...args], {
      cwd: ROOT,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running.push(child);
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => (output += text));
    const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
    let over = false;
    void ended.then(() => (over = true));
    await waitFor('npm start to be up', () => over || output.includes('Ctrl-C ends everything'), 120_000);
    if (over) throw new Error(`npm start has ended:\n${output}`);
    return { child, output: () => output, ended };
  }
  function run(...args: string[]): Promise<CommandResult> {
    return runCommand('npm', ['start', '--silent', '--', ...args], { cwd: ROOT, env, timeoutMs: 120_000 });
  }

  it('makes a box, ends every process on SIGINT, and has box and person again after the next start', async () => {
    const first = await start();
    expect(first.output()).to.match(
      /Sandboxed {2}every vendor: Stripe, GitHub, Contabo, Hostinger, Cloudflare, Anthropic, OpenAI/,
    );
    const environment = JSON.parse(readFileSync(path.join(dir, 'state', 'environment.json'), 'utf8')) as Record<
      string,
      string
    >;
    const url = (name: keyof typeof PORT_OFFSETS): string => `http://127.0.0.1:${base + PORT_OFFSETS[name]}`;
    const urls = { page: url('page'), edge: url('edge'), stripe: url('stripe'), github: url('github') };
    const stage = { baseUrl: `http://localhost:${base}`, urls, environment, prepared, scratch: dir };
    const world = createWorld(ROOT, stage, 'contabo');
    const told: string[] = [];
    const ok = await runStory(
      SIGN_UP,
      world,
      ({ step, detail, ok: good }) => good || told.push(`${step}: ${detail}`),
      new AbortController().signal,
    );
    expect({ ok, told }).to.deep.equal({ ok: true, told: [] });

    const family = findFamily(first.child.pid ?? 0);
    expect(family.length).to.be.greaterThan(6); // npm, set-up, start, Postgres, sandbox, a machine, control plane, worker
    first.child.kill('SIGINT');
    expect(await first.ended).to.equal(0);
    expect(stillRunning(family)).to.deep.equal([]);
    await checkPorts(block(base), base);

    const second = await start();
    const status = await world.person.open(`${stage.baseUrl}/api/vps/status`, { accept: 'application/json' });
    const box = (await status.json()) as { status: string; hostname: string; url: string };
    expect({ status: box.status, hostname: box.hostname }).to.deep.equal({ status: 'ready', hostname: world.hostname });
    await waitFor(
      'the box to answer again',
      async () => (await getFromBox(`${box.url}/health`, environment['NODE_EXTRA_CA_CERTS'])).status === 200,
    );

    const another = await run();
    expect(another.code).to.equal(1);
    expect(another.stderr).to.match(
      /^Spoq is already running from this clone \(pid \d+\)\. Use it, or end it with Ctrl-C/,
    );

    process.kill(Number(/pid (\d+)/.exec(another.stderr)?.[1]), 'SIGKILL'); // the worst end there is
    await second.ended;
    const third = await start('--fresh');
    expect(third.output()).to.contain(
      'The last run was killed; what it left was ended: postgres, sandbox, control plane, worker.',
    );
    const forgotten = await world.person.open(`${stage.baseUrl}/api/vps/status`, { accept: 'application/json' });
    expect(forgotten.status).to.equal(401);
    const last = findFamily(third.child.pid ?? 0);
    third.child.kill('SIGTERM');
    await third.ended;
    await waitFor('everything to be gone', () => stillRunning(last).length === 0);
  });

  it('says which part has failed, ends the rest and exits with 1', async () => {
    const { child, output, ended } = await start();
    const family = findFamily(child.pid ?? 0);
    const sandbox = family.find(({ pid }) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('sandbox/main.ts'));
    process.kill(sandbox?.pid ?? Number.NaN, 'SIGKILL');
    expect(await ended).to.equal(1);
    expect(output()).to.match(/The sandbox has failed\. What was stored is kept\. The last lines of .*sandbox\.log:/);
    expect(stillRunning(family)).to.deep.equal([]);
  });
});

function block(base: number): Record<string, number> {
  return Object.fromEntries(Object.entries(PORT_OFFSETS).map(([name, offset]) => [name, base + offset]));
}

/**
 * A block of ports of which none is in use, below those that systems hand out by themselves: between two starts nobody else shall
 * get one of them.
 */
async function findFreeBlock(): Promise<number> {
  return waitFor('a free block of ports', async () => {
    const base = randomInt(1500, 3200) * 10;
    return (await checkPorts(block(base), base).then(() => true)) && base;
  });
}
