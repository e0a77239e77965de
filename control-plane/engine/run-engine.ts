import type { Stack } from '@pulumi/pulumi/automation/index.js';
import type { BoxSpec } from '../../stacks/spec.ts';
import type { EngineOptions } from './engine.ts';
import { toEngineError } from './errors.ts';
import { createEventLog, type EventLog, type PulumiEvent } from './events.ts';
import type { PluginReport } from './plugins.ts';
import type { Program, Pulumi } from './pulumi.ts';
import { createRedact } from './redact.ts';
import { takeOverLock } from './take-over.ts';

/** One stack while an operation is carried out on it. */
export interface EngineRun {
  stack: Stack;
  /** What the last attempt told. */
  log(): EventLog;
  /** Begins a new log: for a second attempt. */
  restart(): void;
  /** What every command of the Automation API takes. */
  watch: { onEvent: (event: PulumiEvent) => void; signal?: AbortSignal };
  /** Runs an action on the stack: takes over a dead engine's lock if the caller may, and turns failures into sentences. */
  attempt<T>(action: () => Promise<T>): Promise<T>;
}

export interface EngineRunOptions {
  pulumi: Pulumi;
  env: Record<string, string>;
  name: string;
  program: Program;
  spec?: BoxSpec;
  options: EngineOptions;
}

/** Selects a stack and follows what the engine and its plugins say of it. */
export async function openRun({ pulumi, env, name, program, spec, options }: EngineRunOptions): Promise<EngineRun> {
  const { signal, takeOver } = options;
  const redact = createRedact(env, spec);
  const start = (): EventLog => createEventLog(options.onEvent ?? (() => {}), redact, spec);
  let log = start();
  const { stack, hear } = await pulumi.selectStack(name, program, {
    onReport: (report) => log.handle(toDiagnostic(report)),
    onEvent: (event) => log.handle(event),
  });
  const removeLock = async (): Promise<void> => void (await pulumi.run(['cancel', '--yes', '--stack', name], signal));
  const settleMs = 3 * Number(env['PROVISION_POLL_MS'] ?? 5_000);
  return {
    stack,
    log: () => log,
    restart: () => {
      log = start();
    },
    watch: { onEvent: hear, signal },
    attempt: async (action) => {
      try {
        return takeOver ? await takeOverLock(action, { removeLock, settleMs, signal }) : await action();
      } catch (error) {
        throw toEngineError(error, { failures: log.failures(), signal, redact });
      }
    },
  };
}

/** What a plugin reports to us, as the engine would have passed it on. */
function toDiagnostic({ urn, message }: PluginReport): PulumiEvent {
  const diagnosticEvent = { urn, message, severity: 'info' as const, color: 'never', ephemeral: true };
  return { sequence: 0, timestamp: Math.floor(Date.now() / 1000), diagnosticEvent };
}
