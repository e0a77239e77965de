import path from 'node:path';
import { runCommand } from '../../tools/run-command.ts';
import type { CommandResult } from '../../tools/run-command.ts';

const ROOT = path.dirname(path.dirname(import.meta.dirname));

/** What every story but the year begins with: to a box that is ready, and to the first answers. */
export const TO_THE_BOX = ['home', 'checkout', 'sign_in', 'password', 'provision', 'progress', 'ready', 'credentials'];
export const TO_THE_ANSWER = [...TO_THE_BOX, 'install', 'init', 'ask', 'status'];

/** What `npm run journey -- --json` told. */
export interface JourneyTold {
  code: number;
  /** Each step as it went; `error` only where there was one. */
  steps: { step: unknown; ok: unknown; error?: unknown }[];
  /** The last line. */
  verdict: Record<string, unknown>;
  stderr: string;
}

/** `npm run journey` with these arguments, as a person runs it. */
export function runJourney(args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<CommandResult> {
  return runCommand(process.execPath, ['tools/setup.mjs', 'journey', ...args], { cwd: ROOT, env });
}

export async function listenToJourney(args: readonly string[]): Promise<JourneyTold> {
  const { code, stdout, stderr } = await runJourney([...args, '--json']);
  const lines = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const steps = lines
    .slice(0, -1)
    .map(({ step, ok, error }) => ({ step, ok, ...(error === undefined ? {} : { error }) }));
  return { code, steps, verdict: lines.at(-1) ?? {}, stderr };
}
