import { Argument, Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { SpoqError } from '../contract/errors.ts';
import type { Shell } from './commands/completion.ts';
import type { CliDeps } from './deps.ts';
import { DEFAULT_BUDGET } from './context/budget.ts';
import { ENVIRONMENT, EXAMPLES } from './help-texts.ts';
import { addChanges, addRun, readProgram } from './run-commands.ts';
import type { RunOutcome } from './run-commands.ts';
import { addCommand, collect, hasNoColor } from './commander.ts';
import type { JsonFlag } from './commander.ts';
import { addModelCommands, describeKeysUsage } from './program-models.ts';
import type { Adding } from './program-models.ts';
import { addChat, nameCommand } from './program-chat.ts';
import { fitOutputs } from './terminal/fit.ts';
import { reportError } from './terminal/report-error.ts';
import { VERSION } from './version.ts';

/** More can't fit into the 4 MiB that a box takes. */
const MAX_BUDGET = 1_000_000;

/** Runs one command line (without the program's own name). Returns the exit code; everything else happens through `deps`. */
export async function runCli(outside: CliDeps, args: string[]): Promise<number> {
  // What stands behind -- is for another program.
  const own = args.includes('--') ? args.slice(0, args.indexOf('--')) : args;
  const options = { json: own.includes('--json'), noColor: own.includes('--no-color') };
  const deps = options.json ? outside : fitOutputs(outside);
  let output = '';
  try {
    const run = { code: 0, argv: readProgram(args) };
    const program = createProgram(deps, outside, run, (text) => (output += text));
    await program.parseAsync(nameCommand(outside, args), { from: 'user' });
    return run.code;
  } catch (error) {
    if (!(error instanceof CommanderError)) return reportError(deps, error, options);
    return error.exitCode === 0 ? 0 : reportError(deps, describeUsage(error, args), options);
  } finally {
    // Help and version: commander writes them before it throws.
    if (output !== '') await deps.stdout.write(output);
  }
}

function describeUsage(error: CommanderError, args: string[]): SpoqError {
  const isKeys = args.find((one) => !one.startsWith('-')) === 'keys';
  const keys = isKeys ? describeKeysUsage(error.code) : undefined;
  if (keys !== undefined) return new SpoqError('invalid_request', { detail: keys, next: 'See spoq keys --help.' });
  const [detail, ...more] = error.message.replace(/^error: /, '').split('\n');
  return new SpoqError('invalid_request', {
    detail: [detail, ...more].join(' '),
    next: 'See spoq help.',
    cause: error,
  });
}

/** `outside`: the outputs as they are, for an answer, which is fitted while it is written. */
function createProgram(deps: CliDeps, outside: CliDeps, run: RunOutcome, print: (text: string) => void): Command {
  const program = new Command('spoq')
    .description('A Linux box of your own with an AI agent on it')
    .version(VERSION, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'explain a command')
    .option('--no-color', 'plain text; NO_COLOR does the same')
    .exitOverride()
    .configureOutput({ writeOut: print, writeErr: () => undefined, outputError: () => undefined })
    .addHelpText('before', EXAMPLES.spoq)
    .addHelpText('after', ENVIRONMENT);
  addInit(deps, program);
  addChat({ ...deps, stdout: outside.stdout }, program, (name, about) => addCommand(program, name, about));
  addAsk({ ...deps, stdout: outside.stdout }, program);
  addRun({ ...deps, stdout: outside.stdout }, program, run);
  addChanges(deps, outside, program);
  addSessions(deps, program);
  addResume({ ...deps, stdout: outside.stdout }, program);
  const add: Adding['add'] = (name, description) => addCommand(program, name, description);
  addModelCommands({ deps, add, hasNoColor: () => hasNoColor(program) });
  addSync(deps, program);
  addStatus(deps, program);
  addLogout(deps, program);
  addUpgrade(deps, program);
  addUninstall(deps, program);
  addCompletion(outside, program); // a script, which nobody may break into lines
  return program;
}

function addInit(deps: CliDeps, program: Command): void {
  addCommand(program, 'init', 'sign this computer in')
    .option('--force', 'sign in again')
    .option('--browser', 'approve in the browser of this computer, without a code')
    .option('--no-browser', "don't open a browser")
    .action(async ({ json = false, force = false, browser }: JsonFlag & { force?: boolean; browser?: boolean }) => {
      const { runInit } = await import('./commands/init.ts');
      await runInit(deps, { json, force, browser, noColor: hasNoColor(program) });
    });
}

function addAsk(deps: CliDeps, program: Command): void {
  addCommand(program, 'ask', 'ask your box a question')
    .argument('[question...]', 'the question and @paths; without it, or as -, stdin')
    .option('--model <name>', 'ask this one: see spoq models')
    .option('--dry-run', 'list what would be sent, and send nothing')
    .addOption(new Option('--budget <tokens>', 'most tokens of context').default(DEFAULT_BUDGET).argParser(parseBudget))
    .option('--allow <path>', 'send this file as it is, even if it looks secret', collect)
    .option('--no-stdin', "don't read stdin")
    .option('--no-repo', 'leave the git repository out')
    .addOption(new Option('-c, --continue', 'go on with the last conversation of this folder').conflicts('in'))
    .option('--in <id>', 'go on with this conversation')
    .option('--schema <file>', 'answer as JSON that fits this JSON schema')
    .action(async (words: string[], { json = false, dryRun = false, allow = [], ...rest }: AskFlags) => {
      const { runAsk } = await import('./commands/ask.ts');
      const goOn = rest.in ?? rest.continue ?? false;
      await runAsk(deps, words, { ...rest, json, dryRun, allow, continue: goOn, noColor: hasNoColor(program) });
    });
}

function addSync(deps: CliDeps, program: Command): void {
  addCommand(program, 'sync', 'make this folder and its workspace on the box the same')
    .addArgument(new Argument('[direction]', 'one way only').choices(['push', 'pull']))
    .option('--watch', 'go on, whenever something changes here or there')
    .option('--dry-run', 'list what would be done, and do nothing')
    .option('--delete', 'delete here or there though it is more than half of the files')
    .option('--allow <path>', 'take this file along, even if it looks secret', collect)
    .option('--name <workspace>', 'its name on the box, the first time')
    .action(async (direction: 'push' | 'pull' | undefined, flags: SyncFlags) => {
      const { runSync } = await import('./commands/sync.ts');
      const { json = false, watch = false, dryRun = false, delete: deletes = false, allow = [], name } = flags;
      const options = { json, watch, dryRun, delete: deletes, allow, name, noColor: hasNoColor(program) };
      await runSync(deps, { ...options, direction: direction ?? 'both' });
    });
}

interface SyncFlags {
  json?: boolean;
  watch?: boolean;
  dryRun?: boolean;
  delete?: boolean;
  allow?: string[];
  name?: string;
}

interface AskFlags {
  json?: boolean;
  dryRun?: boolean;
  model?: string;
  budget: number;
  allow?: string[];
  stdin: boolean;
  repo: boolean;
  continue?: boolean;
  in?: string;
  schema?: string;
}

function addSessions(deps: CliDeps, program: Command): void {
  addCommand(program, 'sessions', 'list the conversations on your box')
    .option('--here', 'only those of this folder')
    .addOption(new Option('--limit <count>', 'how many').default(20).argParser(parseLimit))
    .option('--delete <id>', 'delete one, with all that was said in it')
    .action(async ({ json = false, here = false, ...rest }: JsonFlag & SessionsFlags) => {
      const { runSessions } = await import('./commands/sessions.ts');
      await runSessions(deps, { ...rest, json, here, noColor: hasNoColor(program) });
    });
}

interface SessionsFlags {
  here?: boolean;
  limit: number;
  delete?: string;
}

function addResume(deps: CliDeps, program: Command): void {
  addCommand(program, 'resume', 'read a conversation, and go along with it')
    .argument('[id]', 'its id, or how that begins; without it, the last one of this folder')
    .action(async (id: string | undefined, { json = false }: JsonFlag) => {
      const { runResume } = await import('./commands/resume.ts');
      await runResume(deps, id, { json, noColor: hasNoColor(program) });
    });
  addCommand(program, 'attach', 'go along with what is at work on your box')
    .argument('[id]', 'its id, or how that begins; without it, what is at work')
    .action(async (id: string | undefined, { json = false }: JsonFlag) => {
      const { runAttach } = await import('./commands/resume.ts');
      await runAttach(deps, id, { json, noColor: hasNoColor(program) });
    });
}

function addStatus(deps: CliDeps, program: Command): void {
  addCommand(program, 'status', 'show how your box is').action(async ({ json = false }: JsonFlag) => {
    const { runStatus } = await import('./commands/status.ts');
    await runStatus(deps, { json, noColor: hasNoColor(program) });
  });
}

function addLogout(deps: CliDeps, program: Command): void {
  addCommand(program, 'logout', 'sign this computer out').action(async ({ json = false }: JsonFlag) => {
    const { runLogout } = await import('./commands/logout.ts');
    await runLogout(deps, { json });
  });
}

function addUpgrade(deps: CliDeps, program: Command): void {
  addCommand(program, 'upgrade', 'replace this program by the newest one')
    .option('--check', 'only tell whether there is a newer one')
    .option('--force', 'also the same one again, or an older one')
    .action(async ({ json = false, check = false, force = false }: JsonFlag & { check?: boolean; force?: boolean }) => {
      const { runUpgrade } = await import('./commands/upgrade.ts');
      await runUpgrade(deps, { json, check, force });
    });
}

function addUninstall(deps: CliDeps, program: Command): void {
  addCommand(program, 'uninstall', 'remove this program')
    .option('--purge', 'sign out and remove the sign-in as well')
    .action(async ({ json = false, purge = false }: JsonFlag & { purge?: boolean }) => {
      const { runUninstall } = await import('./commands/uninstall.ts');
      await runUninstall(deps, { json, purge });
    });
}

function addCompletion(deps: CliDeps, program: Command): void {
  addCommand(program, 'completion', 'print what a shell needs to complete commands')
    .addArgument(new Argument('<shell>', 'which shell').choices(['bash', 'zsh', 'fish']))
    .action(async (shell: Shell, { json = false }: JsonFlag) => {
      const { runCompletion } = await import('./commands/completion.ts');
      const { describeCommands } = await import('./completion/describe-commands.ts');
      await runCompletion(deps, shell, describeCommands(program), { json });
    });
}

function parseLimit(value: string): number {
  const limit = Number(value);
  if (Number.isInteger(limit) && limit >= 1 && limit <= 200) return limit;
  throw new InvalidArgumentError('It must be a whole number from 1 to 200.');
}

function parseBudget(value: string): number {
  const budget = Number(value.replaceAll(/[_,]/g, ''));
  if (Number.isInteger(budget) && budget >= 0 && budget <= MAX_BUDGET) return budget;
  throw new InvalidArgumentError(`It must be a whole number up to ${MAX_BUDGET.toLocaleString('en')}.`);
}
