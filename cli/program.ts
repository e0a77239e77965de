import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { SpoqError } from '../contract/errors.ts';
import type { CliDeps } from './deps.ts';
import { fitOutputs } from './terminal/fit.ts';
import { reportError } from './terminal/report-error.ts';
import { VERSION } from './version.ts';

const DEFAULT_BUDGET = 60_000;
/** More can't fit into the 4 MiB that a box takes. */
const MAX_BUDGET = 1_000_000;

const EXAMPLES = {
  spoq: `Examples:
  $ spoq init                                 sign this computer in
  $ spoq ask "what does this project do?"     ask about the repository you are in
  $ git diff | spoq ask "review this"         ask about what another program prints
  $ spoq status                               how your box is
`,
  init: `Examples:
  $ spoq init
  $ spoq init --no-browser                    only print the address, e.g. over SSH
  $ spoq init --force                         sign in again, or as somebody else
`,
  ask: `Examples:
  $ spoq ask "explain this function" @src/parse.ts
  $ spoq ask "what is wrong in @src/ and @notes.md?"
  $ npm test 2>&1 | spoq ask "why does this fail?"
  $ spoq ask --dry-run "where is the retry?"  list what would be sent, and send nothing
  $ spoq ask --json "…" | jq -r 'select(.type == "text").text'

From a git repository, files go along until the budget is used: those that the question
names, then README and manifests, then near and small ones. Never sent: what .gitignore or
.spoqignore name, binaries, files over 256 kB, and what looks secret (.env, keys, tokens).
`,
  status: `Examples:
  $ spoq status
  $ spoq status --json | jq .box.version
`,
  logout: `Examples:
  $ spoq logout
`,
};

const ENVIRONMENT = `
Environment:
  SPOQ_URL   the control plane, if it isn't https://spoq.dev
  SPOQ_HOME  where the sign-in is kept, if it isn't ~/.spoq
  NO_COLOR   plain text

Exit codes: 0 done, 1 failed, 4 not signed in, 64 wrong usage, 69 box or service cannot be reached,
74 a file here cannot be used, 77 not allowed, 130 stopped by Ctrl-C`;

/** Runs one command line (without the program's own name). Returns the exit code; everything else happens through `deps`. */
export async function runCli(outside: CliDeps, args: string[]): Promise<number> {
  const options = { json: args.includes('--json'), noColor: args.includes('--no-color') };
  const deps = options.json ? outside : fitOutputs(outside);
  let output = '';
  try {
    const program = createProgram(deps, outside, (text) => (output += text));
    await program.parseAsync(args.length === 0 ? ['--help'] : args, { from: 'user' });
    return 0;
  } catch (error) {
    if (!(error instanceof CommanderError)) return reportError(deps, error, options);
    return error.exitCode === 0 ? 0 : reportError(deps, describeUsage(error), options);
  } finally {
    // Help and version: commander writes them before it throws.
    if (output !== '') await deps.stdout.write(output);
  }
}

function describeUsage(error: CommanderError): SpoqError {
  const [detail, ...more] = error.message.replace(/^error: /, '').split('\n');
  return new SpoqError('invalid_request', {
    detail: [detail, ...more].join(' '),
    next: 'See spoq help.',
    cause: error,
  });
}

/** `outside`: the outputs as they are, for an answer, which is fitted while it is written. */
function createProgram(deps: CliDeps, outside: CliDeps, print: (text: string) => void): Command {
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
  addAsk({ ...deps, stdout: outside.stdout }, program);
  addStatus(deps, program);
  addLogout(deps, program);
  return program;
}

function addInit(deps: CliDeps, program: Command): void {
  addCommand(program, 'init', 'sign this computer in')
    .option('--force', 'sign in again')
    .option('--no-browser', "don't open a browser")
    .action(async ({ json = false, force = false, browser }: { json?: boolean; force?: boolean; browser: boolean }) => {
      const { runInit } = await import('./commands/init.ts');
      await runInit(deps, { json, force, browser, noColor: hasNoColor(program) });
    });
}

function addAsk(deps: CliDeps, program: Command): void {
  addCommand(program, 'ask', 'ask your box a question')
    .argument('[question...]', 'the question and @paths; without it, or as -, stdin')
    .option('--dry-run', 'list what would be sent, and send nothing')
    .addOption(new Option('--budget <tokens>', 'most tokens of context').default(DEFAULT_BUDGET).argParser(parseBudget))
    .option('--allow <path>', 'send this file as it is, even if it looks secret', collect)
    .option('--no-stdin', "don't read stdin")
    .option('--no-repo', 'leave the git repository out')
    .action(async (words: string[], { json = false, dryRun = false, allow = [], ...rest }: AskFlags) => {
      const { runAsk } = await import('./commands/ask.ts');
      await runAsk(deps, words, { ...rest, json, dryRun, allow, noColor: hasNoColor(program) });
    });
}

interface AskFlags {
  json?: boolean;
  dryRun?: boolean;
  budget: number;
  allow?: string[];
  stdin: boolean;
  repo: boolean;
}

interface JsonFlag {
  json?: boolean;
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

function addCommand(program: Command, name: keyof typeof EXAMPLES, description: string): Command {
  return program
    .command(name)
    .description(description)
    .option('--json', 'results as JSON')
    .helpOption('-h, --help', 'explain this command')
    .addHelpText('before', EXAMPLES[name]);
}

function hasNoColor(program: Command): boolean {
  return program.opts<{ color: boolean }>().color === false;
}

function collect(value: string, previous: string[] = []): string[] {
  return [...previous, value];
}

function parseBudget(value: string): number {
  const budget = Number(value.replaceAll(/[_,]/g, ''));
  if (Number.isInteger(budget) && budget >= 0 && budget <= MAX_BUDGET) return budget;
  throw new InvalidArgumentError(`It must be a whole number up to ${MAX_BUDGET.toLocaleString('en')}.`);
}
