import { globSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { CONDUCTOR_VARIABLE } from '../test/harness/compiled-conductor.ts';
import { MACHINES_VARIABLE } from '../test/harness/machines.ts';
import { POSTGRES_VARIABLE, startTestPostgres } from '../test/harness/database.ts';
import type { Counts } from '../test/harness/reporter.ts';
import { SCHEMATHESIS_VARIABLE } from '../test/harness/schemathesis.ts';
import { runChecks } from './checks.ts';
import { ensureChromium } from './chromium.ts';
import { cacheDir } from './engine.ts';
import { prepareInstallTests } from './install-trees.ts';
import { chooseMachines, parseMachineKind } from './machines.ts';
import { prepare } from './prepare.ts';
import { runCommand } from './run-command.ts';
import { runMocha } from './run-mocha.ts';
import { runTool } from './run-tool.ts';
import type { ToolContext } from './run-tool.ts';
import { ensureSchemathesis } from './schemathesis.ts';
import { ToolError, formatSeconds } from './terminal.ts';
import { longestFirst, readTestTimes, rememberTestTimes } from './test-times.ts';

const HELP = `Usage: npm test [-- [--tier check|unit|journey|box] [--jobs N] [file …]]
Sets itself up, then runs types, lint and formatting (check), the tests beside the sources (unit), those across parts on real
processes and a real browser (journey), and those on machines that boot (box; Linux, root), two files
at a time for each processor unless --jobs says otherwise. Its last line says how many passed and failed.`;

const TIERS = ['check', 'unit', 'journey', 'box'] as const;
type Tier = (typeof TIERS)[number];
type TestTier = Exclude<Tier, 'check'>;
/** What runs side by side: boxes that boot wait, and journeys have work to do meanwhile. */
const GROUPS: readonly TestTier[][] = [['unit'], ['journey', 'box']];
/** Test files at a time for each processor: each has a database, servers or an engine of its own, and waits for them. */
const JOBS_PER_PROCESSOR = 2;
const UNIT_FOLDERS = '{bench,cli,conductor,contract,control-plane,sandbox,stacks,sync,tools}';
const PATTERNS: Record<TestTier, string> = {
  unit: `${UNIT_FOLDERS}/**/*.test.ts`,
  journey: 'test/*.test.ts',
  box: 'test/box/*.test.ts',
};

await runTool(async (context) => {
  const options = {
    tier: { type: 'string', multiple: true },
    jobs: { type: 'string' },
    help: { type: 'boolean', short: 'h' },
  } as const;
  const { values, positionals } = parseArgs({ args: context.args, options, allowPositionals: true });
  if (values.help === true) return context.print(HELP);
  const tiers = parseTiers(values.tier, positionals);
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  context.onEnd(() => {
    const skipped = counts.skipped === 0 ? '' : `, ${counts.skipped} skipped`;
    context.print(`${counts.passed} passed, ${counts.failed} failed${skipped}`);
  });
  try {
    await runTiers(context, { tiers, files: positionals, jobs: parseJobs(values.jobs) }, counts);
  } catch (error) {
    counts.failed++; // a set-up that fails is a test that fails
    throw error;
  }
  return counts.failed > 0 || counts.passed === 0 ? 1 : 0;
});

function parseTiers(names: string[] | undefined, files: string[]): readonly Tier[] {
  const unknown = (names ?? []).find((name) => !TIERS.some((tier) => tier === name));
  if (unknown !== undefined)
    throw new ToolError(`There is no tier '${unknown}'. There are: ${TIERS.join(', ')}.`, { exitCode: 64 });
  if (names === undefined) return files.length > 0 ? TIERS.filter((tier) => tier !== 'check') : TIERS;
  return TIERS.filter((tier) => names.includes(tier));
}

function parseJobs(value: string | undefined): number {
  if (value === undefined) return JOBS_PER_PROCESSOR * availableParallelism();
  if (!/^[1-9]\d?$/.test(value))
    throw new ToolError(`--jobs is '${value}'; it is a number from 1 to 99.`, { exitCode: 64 });
  return Number(value);
}

interface Chosen {
  tiers: readonly Tier[];
  /** Parts of paths; all files when there are none. */
  files: string[];
  /** Files at a time. */
  jobs: number;
}

async function runTiers(context: ToolContext, { tiers, files, jobs }: Chosen, total: Counts): Promise<void> {
  const { root, terminal, signal } = context;
  const add = (counts: Counts): void => {
    total.passed += counts.passed;
    total.failed += counts.failed;
    total.skipped += counts.skipped;
  };
  if (tiers.includes('check')) add(await check(context));
  const env = tiers.some((tier) => tier !== 'check') ? await setUp(context) : context.env;
  for (const group of GROUPS) {
    const wanted = group.filter((tier) => tiers.includes(tier) && find(root, tier, files).length > 0);
    if (wanted.length === 0 || signal.aborted) continue;
    const began = performance.now();
    const machines = wanted.includes('box') ? await findMachines(context) : {};
    const runnable = machines === undefined ? wanted.filter((tier) => tier !== 'box') : wanted;
    if (runnable.length === 0) continue;
    const found = runnable.flatMap((tier) => find(root, tier, files));
    const { times, ...counts } = await runMocha({
      root,
      env: { ...env, ...machines },
      files: longestFirst(found, readTestTimes(context.env)),
      jobs,
      signal,
    });
    add(counts);
    rememberTestTimes(context.env, times);
    const took = formatSeconds(performance.now() - began);
    terminal.line(terminal.colors.dim(`${runnable.join(' and ')} tests took ${took}`));
  }
}

/** Each of the checks counts as one test. */
async function check({ root, env, terminal }: ToolContext): Promise<Counts> {
  const bin = (file: string): string => path.join(root, 'node_modules', '.bin', file);
  const results = await runChecks({
    terminal,
    runCommand: (file, args) => runCommand(bin(file), args, { cwd: root, env }),
  });
  const passed = results.filter(({ ok }) => ok).length;
  return { passed, failed: results.length - passed, skipped: 0 };
}

/** Engine, plugins and executables, a browser, one Postgres for all files. */
async function setUp(context: ToolContext): Promise<NodeJS.ProcessEnv> {
  const { root, env, terminal, signal } = context;
  const prepared = await prepare({ root, env, terminal, signal });
  const chromium = await ensureChromium(env, terminal, signal);
  const schemathesis = await ensureSchemathesis({ root, env, terminal, signal });
  await prepareInstallTests({ env, terminal, signal });
  const postgres = await terminal.step('Postgres', startTestPostgres);
  context.onEnd(postgres.stop);
  return {
    ...env,
    PATH: [...prepared.pathDirs, env['PATH']].join(path.delimiter),
    PULUMI_HOME: prepared.plugins.home,
    // Hundreds of processes start; compiled once, they do in half the time.
    NODE_COMPILE_CACHE: path.join(cacheDir(env), 'compiled'),
    [CONDUCTOR_VARIABLE]: JSON.stringify(prepared.conductor),
    [POSTGRES_VARIABLE]: postgres.url('postgres'),
    ...(chromium === undefined ? {} : { CHROMIUM_PATH: chromium }),
    ...(schemathesis === undefined ? {} : { [SCHEMATHESIS_VARIABLE]: schemathesis }),
  };
}

/** What tests on booted machines are told of them; undefined, with a line that says why, where machines can't boot. */
async function findMachines(context: ToolContext): Promise<Record<string, string> | undefined> {
  const choice = await chooseMachines(context, parseMachineKind(context.env['SPOQ_SANDBOX_MACHINES']));
  if (choice.kind === 'nspawn') return { [MACHINES_VARIABLE]: JSON.stringify(choice) };
  context.terminal.line(`Machines can't boot here (${choice.because}): the tests on booted boxes are skipped.`);
  return undefined;
}

function find(root: string, tier: TestTier, wanted: string[]): string[] {
  const found = globSync(PATTERNS[tier], { cwd: root });
  return wanted.length === 0 ? found : found.filter((file) => wanted.some((part) => file.includes(part)));
}
