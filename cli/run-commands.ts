import { Option } from 'commander';
import type { Command } from 'commander';
import { addCommand, collect, hasNoColor } from './commander.ts';
import type { JsonFlag } from './commander.ts';
import type { CliDeps } from './deps.ts';

/** What stands behind `--`, and the exit code of that program. */
export interface RunOutcome {
  argv: string[] | undefined;
  code: number;
}

/** The program behind `--`; undefined where there is no `--`. */
export function readProgram(args: string[]): string[] | undefined {
  const at = args.indexOf('--');
  return at === -1 ? undefined : args.slice(at + 1);
}

interface RunFlags extends JsonFlag {
  allow?: string[];
  deny?: string[];
  yes?: boolean;
  wait: boolean;
  workspace?: string;
  model?: string;
  sync: boolean;
  continue?: boolean;
  in?: string;
}

/** `spoq run`. */
export function addRun(deps: CliDeps, program: Command, run: RunOutcome): void {
  addCommand(program, 'run', 'let the agent on your box do something, or run a program there')
    .argument('[task...]', 'what to do; or -- and a program with its arguments')
    .option('--model <name>', 'let this one do it: see spoq models')
    .option('--allow <rule>', 'allow this without asking, as shell(git commit *)', collect)
    .option('--deny <rule>', 'deny this', collect)
    .option('--yes', 'allow everything that is asked for, once')
    .option('--no-wait', 'fail when something is asked for and nobody is there')
    .option('--no-sync', 'work with what is on the box, without a sync')
    .option('--workspace <name>', 'the workspace on the box; that of this folder when left out')
    .addOption(new Option('-c, --continue', 'go on with the last conversation of this folder').conflicts('in'))
    .option('--in <id>', 'go on with this conversation, in its copy')
    .action(async (words: string[], { json = false, allow = [], deny = [], yes = false, ...rest }: RunFlags) => {
      const { runRun } = await import('./commands/run.ts');
      const argv = run.argv === undefined || run.argv.length === 0 ? undefined : run.argv;
      const task = words.slice(0, words.length - (run.argv?.length ?? 0));
      const goOn = rest.in ?? rest.continue ?? false;
      const options = { ...rest, json, allow, deny, yes, continue: goOn, noColor: hasNoColor(program) };
      run.code = await runRun(deps, task, argv, options);
    });
}

/** `spoq diff`, `apply` and `discard`. `outside`: the outputs as they are, for a patch, whose lines nobody may break. */
export function addChanges(deps: CliDeps, outside: CliDeps, program: Command): void {
  const id = 'the conversation, or how its id begins; without it, the last run of this folder';
  addCommand(program, 'diff', 'show what a run has changed')
    .argument('[id]', id)
    .action(async (given: string | undefined, { json = false }: JsonFlag) => {
      const { runDiff } = await import('./commands/changes.ts');
      await runDiff({ ...deps, stdout: outside.stdout }, given, { json, noColor: hasNoColor(program) });
    });
  addCommand(program, 'apply', 'take over what a run has changed')
    .argument('[id]', id)
    .option('--keep', 'keep the copy on the box')
    .action(async (given: string | undefined, { json = false, keep = false }: JsonFlag & { keep?: boolean }) => {
      const { runApply } = await import('./commands/changes.ts');
      await runApply(deps, given, { json, keep, noColor: hasNoColor(program) });
    });
  addCommand(program, 'discard', 'drop what a run has changed')
    .argument('[id]', id)
    .option('--yes', "don't ask")
    .action(async (given: string | undefined, { json = false, yes = false }: JsonFlag & { yes?: boolean }) => {
      const { runDiscard } = await import('./commands/changes.ts');
      await runDiscard(deps, given, { json, yes, noColor: hasNoColor(program) });
    });
}
