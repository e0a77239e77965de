import type { CommandResult } from './run-command.ts';
import type { Terminal } from './terminal.ts';

export interface CheckDeps {
  terminal: Terminal;
  /** Runs an executable of node_modules/.bin in the clone. */
  runCommand: (file: string, args: string[]) => Promise<CommandResult>;
}

export interface CheckResult {
  title: string;
  ok: boolean;
}

const CHECKS = [
  { title: 'types (tsc)', file: 'tsc', args: ['--pretty', 'false'] },
  { title: 'lint (oxlint)', file: 'oxlint', args: [] },
  { title: 'format (oxfmt)', file: 'oxfmt', args: ['--check'] },
];

/** Types, lint and formatting of the whole clone, one after the other; what a failing one said is printed below its line. */
export async function runChecks({ terminal, runCommand }: CheckDeps): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  for (const { title, file, args } of CHECKS) {
    let said = '';
    const ok = await terminal
      .step(title, async () => {
        const result = await runCommand(file, args);
        said = `${result.stdout}${result.stderr}`.trim();
        if (result.code !== 0) throw new Error(title);
        return true;
      })
      .catch(() => false);
    if (!ok) terminal.line(said);
    results.push({ title, ok });
  }
  return results;
}
