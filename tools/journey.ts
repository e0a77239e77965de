import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { AGENT } from './journey/agent.ts';
import { LIFE } from './journey/life.ts';
import { OPERATE } from './journey/operate.ts';
import { OUTSIDE } from './journey/outside.ts';
import { PHONE } from './journey/phone.ts';
import { SIGN_UP } from './journey/signup.ts';
import { runStory } from './journey/story.ts';
import type { Step, StepReport } from './journey/story.ts';
import { SIGN_OUT, USE } from './journey/use.ts';
import { createWorld } from './journey/world.ts';
import { YEAR } from './journey/year.ts';
import { beginYear } from './journey/year-world.ts';
import type { World } from './journey/world.ts';
import { chooseMachines } from './machines.ts';
import type { MachineKindName } from './machines.ts';
import { prepare } from './prepare.ts';
import { runTool } from './run-tool.ts';
import { startTemporaryRun, type TemporaryRun } from './temporary-run.ts';
import { ToolError, formatSeconds } from './terminal.ts';

interface Story {
  steps: readonly Step<World>[];
  /** What machines are made of while it is played. */
  machines: MachineKindName;
  /** What comes before the first step; answers how to end it. */
  begin?(run: TemporaryRun): Promise<() => Promise<void>>;
}

const STORIES: Record<string, Story> = {
  signup: { steps: [...SIGN_UP, ...USE, ...SIGN_OUT, ...OPERATE], machines: 'process' },
  box: { steps: [...SIGN_UP, ...USE, ...OUTSIDE, ...PHONE, ...LIFE, ...SIGN_OUT, ...OPERATE], machines: 'nspawn' },
  agent: { steps: [...SIGN_UP, ...USE, ...AGENT], machines: 'nspawn' },
  year: { steps: YEAR, machines: 'process', begin: beginYear },
};
const PROVIDERS = ['contabo', 'hostinger'] as const;

const HELP = `Usage: npm run journey [-- --provider contabo|hostinger] [--story ${Object.keys(STORIES).join('|')}] [--json]
Walks the main job through the same HTTP endpoints and the real spoq, against a sandbox of its own that is forgotten afterwards.
  --provider   where the box is bought (contabo)
  --story      which story is walked (signup)
  --json       one JSON object per line: {"step","ok","ms",…}, last {"ok",…}
Exit status 0 only if each step did what it should.`;

await runTool(async ({ root, env, args, terminal, print, signal, onEnd }) => {
  const { values } = parseArgs({
    args,
    options: {
      provider: { type: 'string', default: 'contabo' },
      story: { type: 'string', default: 'signup' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help === true) return print(HELP);
  const provider = PROVIDERS.find((name) => name === values.provider);
  const story = STORIES[values.story];
  if (provider === undefined)
    throw new ToolError(`There is no provider '${values.provider}': it is contabo or hostinger.`, { exitCode: 64 });
  if (story === undefined)
    throw new ToolError(`There is no story '${values.story}'. There are: ${Object.keys(STORIES).join(', ')}.`, {
      exitCode: 64,
    });

  const began = performance.now();
  const report = (line: object, text: string): void => print(values.json ? JSON.stringify(line) : text);
  const { colors } = terminal;
  const width = Math.max(...story.steps.map(({ title }) => title.length));
  const onStep = ({ step, title, ok, ms, detail }: StepReport): void => {
    const mark = ok ? colors.green('✓') : colors.red('✗');
    const text = `${mark} ${title.padEnd(width)}  ${formatSeconds(ms).padStart(7)}  ${ok ? colors.dim(detail) : detail}`;
    report({ step, ok, ms, ...(ok ? { detail } : { error: detail }) }, text);
  };
  let steps = 0;
  let ok = false;
  const finish = (error?: string): void => {
    const ms = Math.round(performance.now() - began);
    const end = ok
      ? `${steps} steps, every one did what it should`
      : `stopped at step ${steps}${error === undefined ? '' : `: ${error}`}`;
    report(
      { ok, story: values.story, provider, steps, ms, ...(error === undefined ? {} : { error }) },
      `\n${end} (${provider}, ${formatSeconds(ms)})`,
    );
  };
  try {
    const prepared = await prepare({ root, env, terminal, signal });
    // A story of upgrades leaves releases behind: in a folder of its own.
    const releases = mkdtempSync(path.join(tmpdir(), 'spoq-releases-'));
    onEnd(() => rmSync(releases, { recursive: true, force: true }));
    cpSync(prepared.releasesDir, releases, { recursive: true });
    const variables = { VPS_PROVIDER: provider, LOG_LEVEL: 'info', RELEASES_DIR: releases };
    const machines = await chooseMachines({ root, env, terminal, signal }, story.machines);
    const run = await startTemporaryRun({ root, env, prepared, machines, terminal, signal, variables });
    onEnd(run.stop);
    if (story.begin !== undefined) onEnd(await story.begin(run));
    const world = createWorld(root, run, provider);
    ok = await runStory(
      story.steps,
      world,
      (step) => {
        steps++;
        onStep(step);
      },
      signal,
    );
  } catch (error) {
    finish(error instanceof Error ? error.message : String(error));
    throw error;
  }
  finish();
  return ok ? 0 : 1;
});
