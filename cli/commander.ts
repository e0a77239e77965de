import type { Command } from 'commander';
import { EXAMPLES } from './help-texts.ts';

/** What every command has. */
export interface JsonFlag {
  json?: boolean;
}

/** A command with what they all have. */
export function addCommand(program: Command, name: keyof typeof EXAMPLES, description: string): Command {
  return program
    .command(name)
    .description(description)
    .option('--json', 'results as JSON')
    .helpOption('-h, --help', 'explain this command')
    .addHelpText('before', EXAMPLES[name]);
}

export function hasNoColor(program: Command): boolean {
  return program.opts<{ color: boolean }>().color === false;
}

/** For options that may be given more than once. */
export function collect(value: string, previous: string[] = []): string[] {
  return [...previous, value];
}
