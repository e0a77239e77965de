import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { measureClicks } from '../bench/click-to-ready.ts';
import { compileHello, measureColdStarts } from '../bench/cold-start.ts';
import { openEngineBench } from '../bench/engine.ts';
import type { EngineBench } from '../bench/engine.ts';
import { measureFirstTokens } from '../bench/first-token.ts';
import type { FirstTokens } from '../bench/first-token.ts';
import { measureIdle, startFloor } from '../bench/idle.ts';
import { measureLoad } from '../bench/load.ts';
import type { Load } from '../bench/load.ts';
import { listFailures, renderReport } from '../bench/report.ts';
import type { EngineTimes, Measurements } from '../bench/report.ts';
import { createTestDatabase } from '../test/harness/database.ts';
import { startIdleConductor } from '../test/harness/idle-conductor.ts';
import { SIGN_UP } from './journey/signup.ts';
import { runStory } from './journey/story.ts';
import { USE } from './journey/use.ts';
import { createWorld } from './journey/world.ts';
import { measureAllAnswers, measureAskStart, measureSyncs } from './bench-laptop.ts';
import { chooseMachines, parseMachineKind } from './machines.ts';
import { prepare } from './prepare.ts';
import type { Prepared } from './prepare.ts';
import { findOnPath } from './run-command.ts';
import { runTool, untilAborted } from './run-tool.ts';
import type { ToolContext } from './run-tool.ts';
import { startTemporaryRun } from './temporary-run.ts';
import { ToolError } from './terminal.ts';

const PARTS = ['click-to-ready', 'engine', 'load', 'first-token', 'answers', 'cold-start', 'sync', 'idle'] as const;
type Part = (typeof PARTS)[number];

const HELP = `Usage: npm run bench [-- --rounds N] [--out docs/performance.md] [--only PART,…]
Measures Spoq against its peers and floors in one run and writes the page. Exit status 0 only if what has to hold does.
  --only   measures these parts alone and writes nothing: ${PARTS.join(', ')}`;

const AT_ONCE = [1, 4, 8];
const IDLE_SECONDS = 60;

await runTool(async (context) => {
  const options = {
    rounds: { type: 'string', default: '7' },
    out: { type: 'string', default: 'docs/performance.md' },
    only: { type: 'string' },
    help: { type: 'boolean', short: 'h' },
  } as const;
  const { values } = parseArgs({ args: context.args, options });
  if (values.help === true) return context.print(HELP);
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1)
    throw new ToolError(`--rounds is '${values.rounds}', which is no number of rounds.`, { exitCode: 64 });
  const wants = chooseParts(values.only);
  const { root, env, terminal, signal } = context;
  const prepared = await prepare({ root, env, terminal, signal });
  const dir = mkdtempSync(path.join(tmpdir(), 'spoq-bench-'));
  context.onEnd(() => rmSync(dir, { recursive: true, force: true }));
  const needsEngine = wants('engine') || wants('click-to-ready');
  const engine = needsEngine ? await openEngine(context, prepared, dir) : undefined;
  const measured: Measurements = {
    date: new Date().toISOString().slice(0, 10),
    machine: `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown'}, ${process.platform}-${process.arch}`,
    ...(engine && wants('click-to-ready') && { click_to_ready: await measureBoxes(context, prepared, engine, rounds) }),
    ...(engine && wants('engine') && (await measureEngine(context, engine, rounds))),
    ...(wants('load') && { load: await measureLoads(context, prepared, rounds) }),
    ...(wants('first-token') && { first_token: await measureTokens(context, prepared, rounds * 4) }),
    ...(wants('answers') && (await measureAllAnswers(context, prepared, dir, Math.min(rounds, 5)))),
    ...(wants('sync') && (await measureSyncs(context, prepared, Math.min(rounds, 5)))),
    ...(wants('cold-start') && {
      cold_start: await measureStarts(context, prepared, dir, rounds * 3),
      ask_start: await measureAskStart(context, prepared, dir, rounds * 3),
    }),
    ...(wants('idle') && process.platform === 'linux' && { idle: await measureNothing(context, dir) }),
  };
  if (values.only === undefined) {
    const file = path.resolve(root, values.out);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, renderReport(measured));
  }
  context.print(renderReport(measured));
  const failures = listFailures(measured);
  for (const failure of failures) terminal.line(failure);
  return failures.length === 0 ? 0 : 1;
});

function chooseParts(only: string | undefined): (part: Part) => boolean {
  const chosen = only?.split(',') ?? PARTS;
  const unknown = chosen.find((name) => !PARTS.some((part) => part === name));
  if (unknown !== undefined)
    throw new ToolError(`--only has '${unknown}'; there are ${PARTS.join(', ')}.`, { exitCode: 64 });
  return (part) => chosen.includes(part);
}

async function openEngine(context: ToolContext, prepared: Prepared, dir: string): Promise<EngineBench> {
  const { env } = context;
  const database = await createTestDatabase();
  context.onEnd(database.close);
  const searchPath = [...prepared.pathDirs, path.join(context.root, 'sandbox', 'plugins'), env['PATH']].join(
    path.delimiter,
  );
  env['PATH'] = searchPath; // the Automation API looks for the engine on the PATH of this process
  const folder = path.join(dir, 'engine');
  mkdirSync(folder);
  const bench = await openEngineBench({
    dir: folder,
    searchPath,
    backendUrl: database.backendUrl,
    conductor: prepared.conductor,
  });
  context.onEnd(bench.close);
  return bench;
}

/** Whole boxes, where machines boot. */
async function measureBoxes(
  { root, env, terminal, signal, onEnd }: ToolContext,
  prepared: Prepared,
  engine: EngineBench,
  rounds: number,
): Promise<Measurements['click_to_ready']> {
  const machines = await chooseMachines(
    { root, env, terminal, signal },
    parseMachineKind(env['SPOQ_SANDBOX_MACHINES']),
  );
  if (machines.kind !== 'nspawn') return { because: machines.because };
  const run = await startTemporaryRun({ root, env, prepared, machines, terminal, signal, durable: true });
  onEnd(run.stop);
  return terminal.step('Click to ready', (update) => {
    const onRound = (round: number): void => update(`round ${round + 1} of ${rounds}`);
    return untilAborted(signal, measureClicks({ run, machines, engine, rounds, onRound }));
  });
}

async function measureEngine(
  { terminal }: ToolContext,
  bench: EngineBench,
  rounds: number,
): Promise<Pick<Measurements, 'engine' | 'throughput'>> {
  const engine: EngineTimes = { lean: [], stock: [] };
  await terminal.step('Engine: one box at a time', async (update) => {
    for (let round = -1; round < rounds; round++) {
      update(round < 0 ? 'warming up' : `round ${round + 1} of ${rounds}`);
      const [lean, stock] = [await bench.lean(), await bench.stock()];
      if (round < 0) continue;
      engine.lean.push(lean);
      engine.stock.push(stock);
    }
  });
  const throughput: NonNullable<Measurements['throughput']> = [];
  for (const count of AT_ONCE) {
    await terminal.step(`Engine: ${count} at once`, async (update) => {
      const row = { at_once: count, lean: [] as number[], stock: [] as number[] };
      for (let round = 0; round < Math.max(1, Math.round(rounds / 2)); round++) {
        update(`round ${round + 1}`);
        row.lean.push(await timeTogether(bench, 'lean', count));
        row.stock.push(await timeTogether(bench, 'stock', count));
      }
      throughput.push(row);
    });
  }
  return { engine, throughput };
}

async function timeTogether(bench: EngineBench, way: 'lean' | 'stock', count: number): Promise<number> {
  const began = performance.now();
  await Promise.all(Array.from({ length: count }, () => bench[way]()));
  return performance.now() - began;
}

/** A control plane behind a proxy on this machine, which tells whom it was called by: everybody counts as an address of their own. */
async function measureLoads(context: ToolContext, prepared: Prepared, rounds: number): Promise<Load> {
  const { root, env, terminal, signal, onEnd } = context;
  const variables = { TRUSTED_PROXIES: '127.0.0.1' };
  const run = await startTemporaryRun({ root, env, prepared, terminal, signal, variables, durable: true });
  onEnd(run.stop);
  return terminal.step('Load', (update) =>
    untilAborted(signal, measureLoad({ run, rounds, signal, onEnd, update })).catch((cause: unknown) => {
      if (cause instanceof ToolError) throw cause;
      throw new ToolError(`The load has failed. ${(cause as Error).message}`, { cause });
    }),
  );
}

/** A box is made and a device signed in as in the journey; then it is asked. */
async function measureTokens(context: ToolContext, prepared: Prepared, rounds: number): Promise<FirstTokens> {
  const { root, env, terminal, signal } = context;
  const run = await startTemporaryRun({ root, env, prepared, terminal, signal });
  context.onEnd(run.stop);
  return terminal.step('First token', async (update) => {
    const world = createWorld(root, run, 'contabo');
    const steps = [...SIGN_UP, ...USE.filter(({ name }) => name === 'init')];
    let failure = '';
    const ok = await runStory(
      steps,
      world,
      (report) => {
        update(report.title);
        failure = report.ok ? '' : `${report.title}: ${report.detail}`;
      },
      signal,
    );
    if (!ok) throw new ToolError(`The box to ask could not be made. ${failure}`);
    await fetch(`${run.urls.page}/api/delays`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model_first_chunk_ms: 0, model_chunk_ms: 0 }),
    });
    update('asking');
    const model = (await world.runSpoq(['status', '--json'])).stdout;
    const name = /"model":\s*"([^"]+)"/.exec(model)?.[1];
    if (name === undefined) throw new ToolError(`The box does not tell its model: ${model}`);
    return measureFirstTokens(
      {
        credentialsFile: path.join(run.scratch, 'home', '.spoq', 'credentials'),
        modelUrl: run.environment['ANTHROPIC_BASE_URL'] ?? '',
        modelKey: run.environment['ANTHROPIC_API_KEY'] ?? '',
        model: name,
      },
      rounds,
    );
  });
}

function measureStarts(
  { root, env, terminal }: ToolContext,
  prepared: Prepared,
  dir: string,
  rounds: number,
): Promise<Record<string, number[]>> {
  return terminal.step('Cold start', async () => {
    const hello = await compileHello(root, path.join(dir, 'hello'), env);
    const claude = findOnPath('claude', env['PATH']);
    return measureColdStarts(
      {
        'bun hello': [hello, '--version'],
        '`spoq --version`': [...prepared.spoq, '--version'],
        ...(claude === undefined ? {} : { '`claude --version`': [claude, '--version'] }),
      },
      rounds,
    );
  });
}

function measureNothing(
  { root, env, terminal, signal, onEnd }: ToolContext,
  dir: string,
): Promise<NonNullable<Measurements['idle']>> {
  return terminal.step(`Nothing, for ${IDLE_SECONDS} s`, async () => {
    const floor = await startFloor(root, path.join(dir, 'floor'), env);
    onEnd(floor.stop);
    const conductor = await startIdleConductor();
    onEnd(conductor.stop);
    const pids = { 'an empty server': floor.pid, 'the conductor': conductor.pid };
    return { seconds: IDLE_SECONDS, processes: await untilAborted(signal, measureIdle(pids, IDLE_SECONDS)) };
  });
}
