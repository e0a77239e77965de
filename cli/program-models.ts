import { Argument, InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import type { Amounts } from './commands/budget.ts';
import type { KeyAction } from './commands/keys.ts';
import type { CliDeps } from './deps.ts';
import type { EXAMPLES } from './help-texts.ts';

export interface Adding {
  deps: CliDeps;
  add: (name: keyof typeof EXAMPLES, description: string) => Command;
  hasNoColor: () => boolean;
}

/** What models there are, what they may cost, and with whose keys they are asked. */
export function addModelCommands({ deps, add, hasNoColor }: Adding): void {
  add('models', 'list the models that your box can ask, with prices')
    .option('--all', 'also those without a key or a price')
    .action(async ({ json = false, all = false }: { json?: boolean; all?: boolean }) => {
      const { runModels } = await import('./commands/models.ts');
      await runModels(deps, { json, all, noColor: hasNoColor() });
    });
  const amount = (name: string, of: string): Option =>
    new Option(`--${name} <usd>`, `most US dollars ${of}, or none for no limit`).argParser(parseAmount);
  add('budget', 'show what models may cost, or set it')
    .addArgument(new Argument('[set]', 'change what is named').choices(['set']))
    .addOption(amount('day', 'a day'))
    .addOption(amount('month', 'a month'))
    .addOption(amount('conversation', 'for each conversation'))
    .action(async (action: 'set' | undefined, { json = false, ...amounts }: Amounts & { json?: boolean }) => {
      const { runBudget } = await import('./commands/budget.ts');
      await runBudget(deps, action, { ...amounts, json, noColor: hasNoColor() });
    });
  add('keys', 'give your box a model key of your own')
    .addArgument(new Argument('<action>', 'what to do').choices(['set', 'list', 'remove'] satisfies KeyAction[]))
    .argument('[provider]', 'whose key it is: anthropic, openai, or one of the configuration')
    .option('--no-check', "set: don't ask the provider whether it takes it")
    .action(
      async (
        action: KeyAction,
        provider: string | undefined,
        { json = false, check }: { json?: boolean; check: boolean },
      ) => {
        const { runKeys } = await import('./commands/keys.ts');
        await runKeys(deps, action, provider, { json, check });
      },
    );
}

/** What is wrong with the arguments of `spoq keys`, in words that repeat none of them: one may be a key. */
export function describeKeysUsage(code: string): string | undefined {
  if (code === 'commander.missingArgument' || code === 'commander.optionMissingArgument') return undefined;
  return 'There is something that spoq keys does not know. It is not repeated here: a key is typed or piped in, never an argument, where others can see it.';
}

function parseAmount(value: string): number | 'none' {
  if (value === 'none') return value;
  const usd = Number(value.replace(/^\$/, ''));
  if (/^\$?\d+(\.\d+)?$/.test(value) && usd <= 100_000) return usd;
  throw new InvalidArgumentError('It must be an amount of US dollars, like 5 or 2.50, or none.');
}
