import path from 'node:path';
import type { MachineChoice } from '../../tools/machines.ts';
import { prepare } from '../../tools/prepare.ts';
import { startTemporaryRun } from '../../tools/temporary-run.ts';
import type { TemporaryRun } from '../../tools/temporary-run.ts';
import { createTerminal } from '../../tools/terminal.ts';

const ROOT = path.dirname(path.dirname(import.meta.dirname));

/**
 * Starts a whole Spoq of real processes for a test file: Postgres, sandbox, control plane, worker, the compiled executables. Call it
 * in `before` with `this.timeout(START_TIMEOUT_MS)`, and `stop` in `after`.
 */
export async function startTestSpoq(
  variables: Record<string, string> = {},
  machines?: MachineChoice,
): Promise<TemporaryRun> {
  const said: string[] = [];
  const terminal = createTerminal({ write: (text) => said.push(text) });
  const env = process.env;
  try {
    const prepared = await prepare({ root: ROOT, env, terminal });
    return await startTemporaryRun({ root: ROOT, env, prepared, terminal, variables, machines });
  } catch (error) {
    process.stderr.write(said.join('')); // what led there, as a person would have seen it
    throw error;
  }
}

/** The first time executables are compiled and the engine is got; `npm test` does that beforehand. */
export const START_TIMEOUT_MS = 10 * 60_000;
