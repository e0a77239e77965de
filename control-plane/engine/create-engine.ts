import { PulumiCommand } from '@pulumi/pulumi/automation/index.js';
import { z } from 'zod';
import { SpoqError } from '../../contract/errors.ts';
import { parseBoxOutputs } from '../../stacks/outputs.ts';
import { createProgram } from '../../stacks/program.ts';
import { loadVendors } from '../../stacks/provider/config.ts';
import type { Vendor } from '../../stacks/vendors/vendor.ts';
import type { Engine, EngineOptions, VendorMachine } from './engine.ts';
import { isStackMissing, isStackThere, toEngineError } from './errors.ts';
import { createEventLog, type EventLog } from './events.ts';
import { describePreview } from './preview.ts';
import { type Program, type Pulumi, withPulumi } from './pulumi.ts';
import { createRedact, type Redact } from './redact.ts';
import { presentMachine, releaseStrays } from './strays.ts';
import { removeStrayRecords } from './stray-records.ts';
import { takeOverLock } from './take-over.ts';

const StackList = z.array(
  z.object({ name: z.string(), lastUpdate: z.string().optional(), resourceCount: z.number().optional() }),
);
const EMPTY: Program = async () => ({});

/** The engine on this machine. `env` is its whole environment: see createEngineEnvironment. Starts nothing until it is asked. */
export function createEngine({ env }: { env: Record<string, string> }): Engine {
  const { vendors, pollMs, deadlineMs } = loadVendors(env);
  let checked: Promise<PulumiCommand> | undefined;
  const command = (): Promise<PulumiCommand> => (checked ??= PulumiCommand.get());
  const open = <T>(action: (pulumi: Pulumi) => Promise<T>): Promise<T> => withPulumi({ env, command }, action);

  const getVendor = (provider: VendorMachine['provider']): Vendor => {
    const vendor = vendors[provider];
    if (vendor === undefined)
      throw new SpoqError('engine_failed', { detail: `There are no credentials for ${provider}.` });
    return vendor;
  };

  /** One run of the engine: takes over the lock if it may, and turns failures into sentences. */
  async function attempt<T>(
    pulumi: Pulumi,
    stack: string,
    options: EngineOptions,
    log: EventLog,
    redact: Redact,
    action: () => Promise<T>,
  ): Promise<T> {
    const { signal, takeOver } = options;
    const removeLock = async (): Promise<void> =>
      void (await pulumi.run(['cancel', '--yes', '--stack', stack], signal));
    try {
      return takeOver ? await takeOverLock(action, removeLock, signal) : await action();
    } catch (error) {
      throw toEngineError(error, { failures: log.failures(), signal, redact });
    }
  }

  return {
    up: (spec, options = {}) =>
      open(async (pulumi) => {
        const redact = createRedact(env, spec);
        const stack = await pulumi.selectStack(spec.stack, createProgram(spec));
        const { signal } = options;
        let log = createEventLog(options.onEvent ?? ignore, redact);
        const up = () => stack.up({ onEvent: (event) => log.handle(event), signal });
        const upOrInit = async () => {
          try {
            return await up();
          } catch (error) {
            if (!isStackMissing(error)) throw error;
            await pulumi.run(['stack', 'init', spec.stack, '--no-select'], signal).catch((reason: unknown) => {
              if (!isStackThere(reason)) throw reason;
            });
            return up();
          }
        };
        const upOrSweep = async () => {
          try {
            return await upOrInit();
          } catch (error) {
            // The record of a run that was killed stands in the way of its successor; it is ours by its comment, and made anew.
            const refused = log
              .failures()
              .some(({ step, message }) => step === 'address' && /already exists/i.test(message));
            if (!refused || (await removeStrayRecords({ env, stack: spec.stack, signal })) === 0) throw error;
            log = createEventLog(options.onEvent ?? ignore, redact);
            return up();
          }
        };
        await attempt(pulumi, spec.stack, options, log, redact, upOrSweep);
        // What was interrupted has been found and taken up by now: the state need not remember it.
        if (log.hadPendingOperations()) await stack.refresh({ clearPendingCreates: true, signal });
        const outputs = parseBoxOutputs(log.outputs());
        if (outputs === undefined)
          throw new SpoqError('engine_failed', {
            detail: 'The box was made, but the engine does not tell its address.',
          });
        await getVendor(spec.provider).tidy(spec.stack, { signal });
        return outputs;
      }),

    preview: (spec, options = {}) =>
      open(async (pulumi) => {
        const redact = createRedact(env, spec);
        const log = createEventLog(options.onEvent ?? ignore, redact);
        const stack = await pulumi.selectStack(spec.stack, createProgram(spec));
        const preview = () => stack.preview({ onEvent: (event) => log.handle(event), signal: options.signal });
        await attempt(pulumi, spec.stack, options, log, redact, preview);
        return describePreview(spec.stack, spec.hostname, log.steps());
      }),

    previewDestroy: (name, options = {}) =>
      open(async (pulumi) => {
        const log = createEventLog(options.onEvent ?? ignore, createRedact(env));
        const stack = await pulumi.selectStack(name, EMPTY);
        await attempt(pulumi, name, options, log, createRedact(env), () =>
          stack.destroy({ previewOnly: true, onEvent: (event) => log.handle(event), signal: options.signal }),
        );
        return describePreview(name, findHostname(log) ?? name, log.steps());
      }),

    destroy: (name, provider, options = {}) =>
      open(async (pulumi) => {
        const redact = createRedact(env);
        const { signal } = options;
        const log = createEventLog(options.onEvent ?? ignore, redact);
        const stack = await pulumi.selectStack(name, EMPTY);
        try {
          await attempt(pulumi, name, options, log, redact, () =>
            stack.destroy({ onEvent: (event) => log.handle(event), signal }),
          );
          await pulumi.run(['stack', 'rm', '--yes', name], signal);
        } catch (error) {
          if (!(error instanceof SpoqError) || error.code !== 'stack_missing') throw error;
        }
        await removeStrayRecords({ env, stack: name, signal });
        const seen = log
          .steps()
          .flatMap(({ type, old }) => (type === 'spoq:index:Instance' && old !== undefined ? [old.id] : []));
        return releaseStrays({ vendor: getVendor(provider), name, seen, pollMs, deadlineMs, options });
      }),

    refresh: (name, options = {}) =>
      open(async (pulumi) => {
        const log = createEventLog(options.onEvent ?? ignore, createRedact(env));
        const stack = await pulumi.selectStack(name, EMPTY);
        const refresh = () =>
          stack.refresh({ clearPendingCreates: true, onEvent: (event) => log.handle(event), signal: options.signal });
        await attempt(pulumi, name, options, log, createRedact(env), refresh);
      }),

    outputs: (name) =>
      open(async (pulumi) => {
        try {
          return parseBoxOutputs(JSON.parse(await pulumi.run(['stack', 'output', '--json', '--stack', name])));
        } catch (error) {
          if (isStackMissing(error)) return undefined;
          throw toEngineError(error, { failures: [], redact: createRedact(env) });
        }
      }),

    listStacks: () =>
      open(async (pulumi) => {
        const stacks = StackList.parse(JSON.parse(await pulumi.run(['stack', 'ls', '--json'])));
        return stacks.map(({ name, lastUpdate, resourceCount }) => ({
          stack: name,
          updated_at: lastUpdate ?? null,
          resource_count: resourceCount ?? null,
        }));
      }),

    inventory: async (provider, options = {}) =>
      (await getVendor(provider).list(options)).map((one) => presentMachine(provider, one)),
  };
}

function ignore(): void {}

function findHostname(log: EventLog): string | undefined {
  const stack = log.steps().find(({ type }) => type === 'pulumi:pulumi:Stack');
  const hostname: unknown = stack?.old?.outputs['hostname'];
  return typeof hostname === 'string' ? hostname : undefined;
}
