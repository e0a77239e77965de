import type { Command, Option } from 'commander';

export interface CompletedFlag {
  /** `-h`, `--help`. */
  names: string[];
  description: string;
  /** What it is given, if anything: `path`, `tokens`. */
  value: string | undefined;
}

export interface CompletedCommand {
  name: string;
  description: string;
  flags: CompletedFlag[];
  /** What its argument may be. */
  choices: readonly string[];
  /** Whether its arguments may name files as @path. */
  takesPaths: boolean;
}

export interface CompletedProgram {
  flags: CompletedFlag[];
  commands: CompletedCommand[];
}

/** What there is to complete, from the command tree itself: nothing can be forgotten. */
export function describeCommands(program: Command): CompletedProgram {
  const help = program.createHelp();
  const commands = help.visibleCommands(program).map((command) => ({
    name: command.name(),
    description: help.subcommandDescription(command),
    flags: help.visibleOptions(command).map(describeFlag),
    choices: command.registeredArguments[0]?.argChoices ?? [],
    takesPaths: command.registeredArguments.some((argument) => argument.description.includes('@path')),
  }));
  const names = commands.map(({ name }) => name);
  return {
    flags: help.visibleOptions(program).map(describeFlag),
    commands: commands.map((command) => (command.name === 'help' ? { ...command, choices: names } : command)),
  };
}

function describeFlag(option: Option): CompletedFlag {
  return {
    names: [option.short, option.long].filter((name) => name !== undefined),
    description: option.description,
    value: /<(.+)>/.exec(option.flags)?.[1],
  };
}
