import type { BoxSpec } from '../../stacks/spec.ts';
import type { UpOptions } from './engine.ts';
import { isStackMissing, isStackThere } from './errors.ts';
import type { Pulumi } from './pulumi.ts';
import type { EngineRun } from './run-engine.ts';
import { removeStrayRecords } from './stray-records.ts';

/** Brings a stack to what its program says, whatever an earlier run left. Answers the stack's outputs. */
export async function makeBox(
  { pulumi, run, env }: { pulumi: Pulumi; run: EngineRun; env: Record<string, string> },
  spec: BoxSpec,
  { isFirst, signal }: UpOptions,
): Promise<Record<string, unknown>> {
  const up = () => run.stack.up(run.watch);
  const init = () =>
    pulumi.run(['stack', 'init', spec.stack, '--no-select'], signal).catch((error: unknown) => {
      if (!isStackThere(error)) throw error;
    });

  await run.attempt(async () => {
    if (isFirst) await init();
    try {
      await up();
    } catch (error) {
      if (isStackMissing(error)) {
        await init();
        await up();
        return;
      }
      // The record of a run that was killed stands in its successor's way. It is ours by its comment, and is made anew.
      const isRefused = run
        .log()
        .failures()
        .some(({ step, message }) => step === 'address' && /already exists/i.test(message));
      if (!isRefused || (await removeStrayRecords({ env, stack: spec.stack, signal })) === 0) throw error;
      run.restart();
      await up();
    }
  });
  // What was interrupted has been found and taken up by now: the state need not remember it.
  if (run.log().hadPendingOperations())
    await run.attempt(() => run.stack.refresh({ clearPendingCreates: true, signal }));
  return run.log().outputs();
}
