import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { runSpoq, startSpoq } from '../../cli/testing/run-spoq.ts';
import type { RunOptions, RunningSpoq } from '../../cli/testing/run-spoq.ts';
import { createTemporaryFolder } from '../../cli/testing/temporary-folder.ts';
import type { TemporaryFolder } from '../../cli/testing/temporary-folder.ts';
import { COMPILE_FLAGS } from '../../tools/build-release.ts';
import { startTerminalWorld } from './terminal-world.ts';
import type { Laptop, TerminalWorld, WorldOptions } from './terminal-world.ts';
import { missingForTmux, startTmux } from './tmux.ts';
import type { Tmux, Window } from './tmux.ts';

/** The compiled `spoq`, terminals to run it in, and a world for it. */
export interface Stage {
  readonly world: TerminalWorld;
  /** In a window; on the first laptop unless told. */
  open(args: string[], columns: number, env: Record<string, string>, laptop?: Laptop): Promise<Window>;
  /** Without a terminal, to its end. */
  run(args: string[], laptop?: Laptop, stdin?: string): RunningSpoq['ended'];
  /** The same, still at work. */
  start(args: string[], laptop?: Laptop): RunningSpoq;
}

const ROOT = path.dirname(path.dirname(import.meta.dirname));

/** Sets the stage for the tests of this `describe`, which are skipped where there can be no windows. */
export function useStage(prepare: () => Promise<WorldOptions> = () => Promise.resolve({})): Stage {
  let tmux: Tmux | undefined;
  let world: TerminalWorld | undefined;
  let build: TemporaryFolder | undefined;
  const program = (): string => path.join(build?.path ?? '', 'spoq');
  const give = <T>(part: T | undefined): T => {
    if (part === undefined) throw new Error('the stage is not set');
    return part;
  };
  const how = (laptop: Laptop): RunOptions => {
    return { cwd: laptop.cwd, env: { ...laptop.env, TERM: 'xterm-256color' }, program: [program()] };
  };

  before(async function () {
    const missing = missingForTmux();
    if (missing !== undefined) {
      process.stderr.write(`No terminals to try: ${missing}.\n`);
      this.skip();
    }
    build = await createTemporaryFolder();
    const compile = [...COMPILE_FLAGS, '--outfile', program(), path.join(ROOT, 'cli', 'main.ts')];
    await promisify(execFile)(path.join(ROOT, 'node_modules', '.bin', 'bun'), compile, { cwd: build.path });
    [world, tmux] = await Promise.all([prepare().then(startTerminalWorld), startTmux()]);
  });

  after(async () => {
    await tmux?.[Symbol.asyncDispose]();
    await world?.[Symbol.asyncDispose]();
    await build?.[Symbol.asyncDispose]();
  });

  return {
    get world() {
      return give(world);
    },
    open: (args, columns, env, laptop = give(world)) =>
      give(tmux).open({ columns, command: [program(), ...args], cwd: laptop.cwd, env: { ...laptop.env, ...env } }),
    run: (args, laptop = give(world), stdin) =>
      runSpoq(args, stdin === undefined ? how(laptop) : { ...how(laptop), stdin }),
    start: (args, laptop = give(world)) => startSpoq(args, how(laptop)),
  };
}
