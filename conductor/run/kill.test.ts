import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { openEvents, openPost, send } from '../testing/client.ts';
import type { OpenStream, Target } from '../testing/client.ts';
import { compileConductor } from '../testing/compiled.ts';
import { startControlPlane } from '../testing/control-plane.ts';
import type { TestControlPlane } from '../testing/control-plane.ts';
import { startModelServer } from '../testing/model-server.ts';
import type { TestModelServer } from '../testing/model-server.ts';
import { answerStep, readMessages } from '../testing/scripted-model.ts';
import { makeSnapshot } from '../testing/workspace-repository.ts';
import { ofType, readAll, readUntil } from './testing.ts';
import type { NumberedEvent } from './testing.ts';

const MAIN = fileURLToPath(new URL('../testing/direct-main.ts', import.meta.url));
const KILLS = 20;
const CALLS = 40;

describe('a run whose conductor is killed', function () {
  this.timeout(120_000);
  let plane: TestControlPlane;
  let model: TestModelServer;
  let folder: string;
  let executable: string;
  let snapshot: string;
  let child: ChildProcess | undefined;
  let target: Target;

  before(async () => {
    [plane, model, executable] = await Promise.all([
      startControlPlane(),
      startModelServer(),
      compileConductor('kill', MAIN),
    ]);
    folder = await mkdtemp(join(tmpdir(), 'kill-'));
    snapshot = makeSnapshot(join(folder, 'web.git'), { 'a.txt': 'a\n' });
    // Goes by what it has called, not by what came of it: whatever is told as unknown it doesn't do again.
    model.speak = (res, call) => {
      const messages = readMessages(call);
      const called = messages.flatMap(({ content }) => content.filter(({ type }) => type === 'tool_use')).length;
      const command = `echo ${called} >> effects; sleep 0.02; echo out ${called}`;
      const calls = [{ name: 'shell', input: { command } }];
      answerStep(res, called < CALLS ? { text: `Step ${called}.`, calls } : { text: 'Done.' }, called);
    };
  });
  after(async () => {
    child?.kill('SIGKILL');
    await Promise.all([plane.close(), model.close()]);
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  });

  async function start(): Promise<void> {
    const process_ = spawn(executable, [folder, model.url, plane.jwksUrl, snapshot], {
      env: { PATH: process.env['PATH'] },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    child = process_;
    const [line] = (await once(createInterface(process_.stdout), 'line')) as [string];
    target = { port: (JSON.parse(line) as { port: number }).port };
  }

  async function kill(signal: NodeJS.Signals): Promise<void> {
    const ended = once(child as ChildProcess, 'exit');
    child?.kill(signal);
    await ended;
  }

  /** Some events, until there were `count` or the line is cut. */
  async function readSome(stream: OpenStream, count: number, seen: Map<number, string>): Promise<void> {
    for (let left = count; left > 0; left -= 1) {
      const event = await stream.next().catch(() => undefined);
      if (event === undefined) return;
      seen.set(Number(event.id), JSON.stringify(event.data));
    }
  }

  async function readConversation(conversation: string, turn: number): Promise<NumberedEvent[]> {
    return readAll(await openEvents(target, `/api/conversations/${conversation}/events?turn=${turn}`));
  }

  /** What was done, counted where it was done, against what was told of it. */
  async function compareEffects(conversation: string, events: NumberedEvent[]): Promise<Record<string, number>> {
    const text = await readFile(join(folder, 'places', conversation, 'web', 'effects'), 'utf8');
    const times = Map.groupBy(text.trim().split('\n'), (line) => line);
    const counts = { ok: 0, interrupted: 0 };
    for (const { call, input } of ofType(events, 'tool_call')) {
      const number = /echo (\d+) /.exec((input as { command: string }).command)?.[1] ?? '';
      const results = ofType(events, 'tool_result').filter((result) => result.call === call);
      expect(results.length, `results of ${call}`).to.equal(1);
      const [{ outcome } = { outcome: 'none' }] = results;
      const done = times.get(number)?.length ?? 0;
      if (outcome === 'ok') expect(done, `effects of ${call}`).to.equal(1);
      else expect(outcome).to.equal('interrupted');
      expect(done, `effects of ${call}`).to.be.at.most(1);
      if (outcome === 'ok') counts.ok += 1;
      else counts.interrupted += 1;
      times.delete(number);
    }
    expect([...times.keys()], 'effects that nobody was told of').to.deep.equal([]);
    return counts;
  }

  it(`loses nothing that was seen and does nothing twice, killed at ${KILLS} points`, async () => {
    const seen = new Map<number, string>();
    await start();
    let stream = await openPost(target, '/api/run', { task: 'Work', workspace: 'web' });
    const first = await readUntil(stream, 'start');
    const { number, ...start_ } = first;
    const { conversation } = first;
    seen.set(number, JSON.stringify(start_));
    for (let point = 0; point < KILLS; point += 1) {
      // Each kind of event is the last one at some point, and what follows it has begun or has not.
      await readSome(stream, point % 7, seen);
      await wait((point * 7) % 23);
      await kill('SIGKILL');
      await start();
      const summary = (await send(target, { path: `/api/conversations/${conversation}` })).json;
      expect(summary).to.deep.include({ state: 'interrupted', turns: point + 1 });
      const kept = await readConversation(conversation, point + 1);
      const byNumber = new Map(kept.map(({ number, ...event }) => [number, event]));
      for (const [number, text] of seen)
        expect(byNumber.get(number), `event ${number}`).to.deep.equal(JSON.parse(text));
      expect(kept.at(-1)).to.deep.include({ type: 'error', code: 'turn_interrupted' });
      stream = await openPost(target, `/api/conversations/${conversation}/continue`, {});
    }
    await readSome(stream, Infinity, seen);
    const events = await readConversation(conversation, KILLS + 1);
    expect(events.map(({ number }) => number)).to.deep.equal(events.map((_, index) => index + 1));
    expect(events.at(-1)).to.deep.include({ type: 'done', stop_reason: 'stop' });
    const counts = await compareEffects(conversation, events);
    expect(counts['interrupted']).to.be.greaterThan(0);
    expect(counts['ok']).to.be.greaterThan(10);
    // Whatever was unknown was told to the model in the same words.
    const told = JSON.stringify(model.calls.at(-1)?.body['messages']).match(/The end of this call is unknown/g)?.length;
    expect(told).to.equal(counts['interrupted']);
    await kill('SIGTERM');
  });

  it('goes on by itself after a restart in order, with the same turn', async () => {
    await start();
    const stream = await openPost(target, '/api/run', { task: 'Work', workspace: 'web' });
    const { conversation } = await readUntil(stream, 'start');
    const seen = new Map<number, string>();
    for (let restarts = 0; restarts < 3; restarts += 1) {
      await readSome(await openEvents(target, `/api/conversations/${conversation}/events`), 6 + restarts * 8, seen);
      await kill('SIGTERM');
      await start();
    }
    const events = await readConversation(conversation, 1);
    expect(events.at(-1)?.type).to.equal('done');
    expect(ofType(events, 'notice').map(({ code }) => code)).to.include('went_on');
    expect(await compareEffects(conversation, events)).to.deep.equal({ ok: CALLS, interrupted: 0 });
    await kill('SIGTERM');
  });
});
