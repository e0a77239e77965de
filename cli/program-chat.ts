import { Help, Option } from 'commander';
import type { Command } from 'commander';
import type { CliDeps } from './deps.ts';
import { isConversational } from './terminal/streams.ts';

/** Of `spoq` alone. Not registered: commander would take it away from the commands that have one of their own. */
const CONTINUE = new Option('-c, --continue', 'open the last conversation of this folder again');

/** The command that is meant where none is named: a conversation on a terminal, else help. */
export function nameCommand(deps: CliDeps, args: string[]): string[] {
  const isContinue = (arg: string): boolean => arg === CONTINUE.short || arg === CONTINUE.long;
  if (!args.every((arg) => isContinue(arg) || arg === '--no-color')) return args;
  return args.some(isContinue) || isConversational(deps) ? ['chat', ...args] : ['--help'];
}

export function addChat(deps: CliDeps, program: Command, add: (name: 'chat', description: string) => Command): void {
  program.configureHelp({
    visibleOptions(command) {
      const options = Help.prototype.visibleOptions.call(this, command);
      return command === program ? [CONTINUE, ...options] : options;
    },
  });
  add('chat', 'open a conversation with your box, as spoq alone does')
    .option('-c, --continue', 'go on with the last conversation of this folder')
    .action(async ({ json = false, continue: goesOn }: { json?: boolean; continue?: true }) => {
      const { runChat } = await import('./chat/chat.ts');
      const noColor = program.opts<{ color: boolean }>().color === false;
      await runChat(deps, { json, noColor, conversation: goesOn });
    });
}
