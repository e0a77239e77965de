import { pause, VendorError } from '../vendors/http.ts';
import type { InstanceOrder, VendorInstance } from '../vendors/vendor.ts';
import { awaitRunning, describeFault, type InstanceContext, UnfinishedInstance } from './instance.ts';
import type { Act } from './instance-inputs.ts';

/** Looks at a machine that was told to restart before its `running` is believed: half a minute at 5 s. A vendor shows it late. */
const LOOKS_BEFORE_BELIEF = 6;

/**
 * Restarts a machine or installs it anew, and answers it once it runs again. What an interrupted run has begun is only waited for: a
 * disk isn't wiped twice. Throws an Error when nothing was changed, UnfinishedInstance when the machine does not come back.
 */
export async function changeInstance(
  context: InstanceContext,
  id: string,
  order: InstanceOrder,
  act: Exclude<Act, { name: 'stop' }>,
): Promise<VendorInstance> {
  const { vendor, report, signal } = context;
  const before = await vendor.get(id, { signal });
  if (before === undefined) throw new Error(`${vendor.label} no longer has the machine.`);
  if (isInstalling(before)) report(`${vendor.label}: the machine is being installed already`);
  else await begin(context, id, order, act);
  const until = Date.now() + context.deadlineMs;
  try {
    await awaitBegun(context, id);
    return await awaitRunning(context, id, order, until);
  } catch (error) {
    if (error instanceof UnfinishedInstance) throw error;
    throw new UnfinishedInstance(id, describeFault(context, error, VERBS[act.name]), { cause: error });
  }
}

const VERBS = { restart: 'restart', install: 'reinstall', stop: 'switch off' } as const;

/** Switches a machine off, and answers it once the vendor says that it is. Throws an Error when it could not be. */
export async function stopInstance(context: InstanceContext, id: string): Promise<VendorInstance> {
  const { vendor, report, signal, pollMs, deadlineMs } = context;
  const until = Date.now() + deadlineMs;
  report(`${vendor.label}: switching the machine off`);
  for (let isAsked = false; ;) {
    const instance = await vendor.get(id, { signal });
    if (instance === undefined) throw new Error(`${vendor.label} no longer has the machine.`);
    if (instance.state === 'stopped') return instance;
    if (Date.now() >= until)
      throw new Error(`${vendor.label} has not switched the machine off (last state: ${instance.state}).`);
    if (!isAsked)
      await vendor.stop(id, { signal }).catch((error: unknown) => {
        throw new Error(describeFault(context, error, VERBS.stop), { cause: error });
      });
    isAsked = true;
    await pause(pollMs, signal);
  }
}

async function begin(
  context: InstanceContext,
  id: string,
  order: InstanceOrder,
  act: Exclude<Act, { name: 'stop' }>,
): Promise<void> {
  const { vendor, report, signal } = context;
  try {
    if (act.name === 'restart') {
      report(`${vendor.label}: restarting the machine`);
      await vendor.restart(id, { signal });
    } else {
      report(`${vendor.label}: installing the machine anew`);
      await vendor.reinstall(id, order, { signal });
    }
  } catch (error) {
    if (!(await hasBegun(context, id, error)))
      throw new Error(describeFault(context, error, VERBS[act.name]), { cause: error });
  }
}

/** A call whose answer was lost is repeated, and the repetition refused: the machine is locked by the first. */
async function hasBegun({ vendor, signal }: InstanceContext, id: string, error: unknown): Promise<boolean> {
  if (!(error instanceof VendorError)) return false;
  const now = await vendor.get(id, { signal });
  return now !== undefined && now.phase === 'working' && now.state !== 'stopped';
}

/** Waits until the vendor shows that it is at work on the machine, or has had the time to. */
async function awaitBegun({ vendor, pollMs, signal }: InstanceContext, id: string): Promise<void> {
  for (let look = 1; look <= LOOKS_BEFORE_BELIEF; look += 1) {
    const now = await vendor.get(id, { signal });
    if (now === undefined || now.phase === 'working') return;
    await pause(pollMs, signal);
  }
}

function isInstalling({ phase, mayHoldData }: VendorInstance): boolean {
  return phase === 'working' && !mayHoldData;
}
