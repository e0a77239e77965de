import { PulumiCommand } from '@pulumi/pulumi/automation/index.js';
import { z } from 'zod';
import { SpoqError } from '../../contract/errors.ts';
import type { ProviderName } from '../../contract/vps.ts';
import { parseBoxOutputs } from '../../stacks/outputs.ts';
import { createProgram, toConvergeUrn, toInstanceUrn } from '../../stacks/program.ts';
import { toMachineName } from '../../stacks/machine-name.ts';
import { loadVendors } from '../../stacks/provider/config.ts';
import type { BoxSpec } from '../../stacks/spec.ts';
import type { Vendor } from '../../stacks/vendors/vendor.ts';
import type { Engine, EngineOptions, Preview, VendorMachine } from './engine.ts';
import { isStackMissing, toEngineError } from './errors.ts';
import { makeBox } from './make-box.ts';
import { createPlugins } from './plugins.ts';
import { describePreview, findHostname } from './preview.ts';
import { type Program, type Pulumi, type PulumiOptions, withPulumi } from './pulumi.ts';
import { createRedact } from './redact.ts';
import { type EngineRun, openRun } from './run-engine.ts';
import { presentMachine, releaseStrays } from './strays.ts';
import { removeStrayRecords } from './stray-records.ts';

const StackList = z.array(
  z.object({ name: z.string(), lastUpdate: z.string().optional(), resourceCount: z.number().optional() }),
);
/** For what needs only the state. */
const NO_PROGRAM: Program = async () => ({});

/** The engine on this machine. `env` is its whole environment: see createEngineEnvironment. Starts nothing until it is asked. */
export function createEngine({ env }: { env: Record<string, string> }): Engine {
  const { vendors, pollMs, deadlineMs } = loadVendors(env);
  let checked: Promise<PulumiCommand> | undefined;
  const here: PulumiOptions = { env, command: () => (checked ??= PulumiCommand.get()), plugins: createPlugins(env) };

  const getVendor = (provider: ProviderName): Vendor => {
    const vendor = vendors[provider];
    if (vendor === undefined)
      throw new SpoqError('engine_failed', { detail: `There are no credentials for ${provider}.` });
    return vendor;
  };

  /** The vendors keep nothing that was only needed while a machine was being made. */
  const tidy = async ({ stack, provider, machine, move }: BoxSpec, { signal }: EngineOptions): Promise<void> => {
    await getVendor(provider).tidy(toMachineName(stack, machine), { signal });
    if (move !== undefined) await getVendor(move.provider).tidy(toMachineName(stack, move.machine), { signal });
  };

  const previewUp = async (pulumi: Pulumi, spec: BoxSpec, options: EngineOptions): Promise<Preview> => {
    const run = await openRun({ pulumi, env, name: spec.stack, program: createProgram(spec), spec, options });
    await run.attempt(() => run.stack.preview(run.watch));
    return describePreview(spec.stack, spec.hostname, run.log().steps());
  };

  return {
    up: (spec, options = {}) =>
      withPulumi(here, async (pulumi) => {
        const run = await openRun({ pulumi, env, name: spec.stack, program: createProgram(spec), spec, options });
        const outputs = parseBoxOutputs(await makeBox({ pulumi, run, env }, spec, options));
        if (outputs === undefined)
          throw new SpoqError('engine_failed', {
            detail: 'The box was made, but the engine does not tell its address.',
          });
        await tidy(spec, options);
        return outputs;
      }),

    takeBack: (spec, options = {}) =>
      withPulumi(here, async (pulumi) => {
        const { stack, move } = spec;
        if (move === undefined) throw new Error('there is no move to take back');
        const seen: string[] = [];
        // Woken first, and then without a trace of the move.
        for (const stage of [spec, { ...spec, move: undefined }]) {
          const run = await openRun({ pulumi, env, name: stack, program: createProgram(stage), spec: stage, options });
          await makeBox({ pulumi, run, env }, stage, options);
          seen.push(...listMachines(run, move.provider));
        }
        const name = toMachineName(stack, move.machine);
        const vendor = getVendor(move.provider);
        return releaseStrays({ vendor, stack, name, seen, pollMs, deadlineMs, options });
      }),

    converge: (spec, options = {}) =>
      withPulumi(here, async (pulumi) => {
        if (spec.converge === 'none')
          throw new SpoqError('engine_failed', { detail: 'This machine has no SSH server to change it by.' });
        const run = await openRun({ pulumi, env, name: spec.stack, program: createProgram(spec), spec, options });
        await run.attempt(() => run.stack.up({ ...run.watch, target: [toConvergeUrn(spec.stack)] }));
      }),

    suspend: (spec, options = {}) =>
      withPulumi(here, async (pulumi) => {
        const run = await openRun({ pulumi, env, name: spec.stack, program: createProgram(spec), spec, options });
        await run.attempt(() => run.stack.up({ ...run.watch, target: [toInstanceUrn(spec)] }));
      }),

    preview: async (spec, options = {}) => {
      try {
        return await withPulumi(here, (pulumi) => previewUp(pulumi, spec, options));
      } catch (error) {
        if (!(error instanceof SpoqError) || error.code !== 'stack_missing') throw error;
        // Nothing is there yet. An empty stack in the operation's own folder shows what would be made and leaves no trace.
        return withPulumi({ ...here, env: { ...env, PULUMI_BACKEND_URL: 'file://.' } }, async (pulumi) => {
          await pulumi.run(['stack', 'init', spec.stack, '--no-select'], options.signal);
          return previewUp(pulumi, spec, options);
        });
      }
    },

    previewDestroy: (name, options = {}) =>
      withPulumi(here, async (pulumi) => {
        const run = await openRun({ pulumi, env, name, program: NO_PROGRAM, options });
        await run.attempt(() => run.stack.destroy({ ...run.watch, previewOnly: true }));
        const steps = run.log().steps();
        return describePreview(name, findHostname(steps) ?? name, steps);
      }),

    destroy: (name, providers, options = {}) =>
      withPulumi(here, async (pulumi) => {
        const { signal } = options;
        const run = await openRun({ pulumi, env, name, program: NO_PROGRAM, options });
        try {
          await run.attempt(() => run.stack.destroy(run.watch));
          await pulumi.run(['stack', 'rm', '--yes', name], signal);
        } catch (error) {
          if (!(error instanceof SpoqError) || error.code !== 'stack_missing') throw error;
        }
        // Now for what no state knows of: the traces of runs that were killed at the wrong moment.
        await removeStrayRecords({ env, stack: name, signal });
        const given: VendorMachine[] = [];
        for (const provider of new Set(providers)) {
          const seen = listMachines(run, provider);
          const vendor = getVendor(provider);
          given.push(...(await releaseStrays({ vendor, stack: name, seen, pollMs, deadlineMs, options })));
        }
        return given;
      }),

    refresh: (name, options = {}) =>
      withPulumi(here, async (pulumi) => {
        const run = await openRun({ pulumi, env, name, program: NO_PROGRAM, options });
        await run.attempt(() => run.stack.refresh({ ...run.watch, clearPendingCreates: true }));
      }),

    outputs: (name) =>
      withPulumi(here, async (pulumi) => {
        try {
          return parseBoxOutputs(JSON.parse(await pulumi.run(['stack', 'output', '--json', '--stack', name])));
        } catch (error) {
          if (isStackMissing(error)) return undefined;
          throw toEngineError(error, { failures: [], redact: createRedact(env) });
        }
      }),

    listStacks: () =>
      withPulumi(here, async (pulumi) => {
        const told = await pulumi.run(['stack', 'ls', '--json']).catch((error: unknown) => {
          throw toEngineError(error, { failures: [], redact: createRedact(env) });
        });
        const stacks = StackList.parse(JSON.parse(told));
        return stacks.map(({ name, lastUpdate, resourceCount }) => ({
          stack: name,
          updated_at: lastUpdate ?? null,
          resource_count: resourceCount ?? null,
        }));
      }),

    inventory: async (provider, options = {}) =>
      (await getVendor(provider).list(options)).map((one) => presentMachine(provider, one)),

    close: () => here.plugins.close(),
  };
}

/** The machines of a vendor that a run has taken away. */
function listMachines(run: EngineRun, provider: ProviderName): string[] {
  const gone = run
    .log()
    .steps()
    .filter(({ type, op }) => type === 'spoq:index:Instance' && op.startsWith('delete'));
  return gone.flatMap(({ old }) => (old !== undefined && old.outputs['provider'] === provider ? [old.id] : []));
}
