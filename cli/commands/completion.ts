import type { CompletedProgram } from '../completion/describe-commands.ts';
import { writeBash } from '../completion/bash.ts';
import { writeFish } from '../completion/fish.ts';
import { writeZsh } from '../completion/zsh.ts';
import type { CliDeps } from '../deps.ts';

const WRITERS = { bash: writeBash, zsh: writeZsh, fish: writeFish } as const;
export type Shell = keyof typeof WRITERS;

/** `spoq completion <shell>`: prints what the shell has to read to complete spoq's commands. */
export function runCompletion(
  deps: Pick<CliDeps, 'stdout'>,
  shell: Shell,
  program: CompletedProgram,
  options: { json: boolean },
): Promise<void> {
  const script = WRITERS[shell](program);
  return deps.stdout.write(options.json ? `${JSON.stringify({ shell, script })}\n` : script);
}
