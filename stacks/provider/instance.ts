import { pause, VendorError } from '../vendors/http.ts';
import { type InstanceOrder, releasedName, type Vendor, type VendorInstance } from '../vendors/vendor.ts';

/** What making and ending one machine needs. */
export interface InstanceContext {
  vendor: Vendor;
  /** Between two looks at the vendor, in milliseconds. */
  pollMs: number;
  /** Until a machine must run, in milliseconds. */
  deadlineMs: number;
  signal: AbortSignal;
  report(message: string): void;
}

/** A machine that exists and does not run: the engine records it, so that it is found again and can be given up. */
export class UnfinishedInstance extends Error {
  readonly id: string;
  constructor(id: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'UnfinishedInstance';
    this.id = id;
  }
}

/** How often an order whose answer was lost is looked for before it is taken for not made: two minutes at 5 s, for a second machine costs a month. */
const LOOKS_AFTER_LOST_ANSWER = 24;
const BUY_TRIES = 4;

/** Buys the machine, or takes the one of that name that an earlier run bought; answers it once it runs and has an address. */
export async function createInstance(context: InstanceContext, order: InstanceOrder): Promise<VendorInstance> {
  const id = await obtain(context, order, Date.now() + context.deadlineMs);
  // Counted from the order: looking for one whose answer was lost takes nothing from a machine's time to start.
  const until = Date.now() + context.deadlineMs;
  try {
    return await awaitRunning(context, id, order, until);
  } catch (error) {
    if (error instanceof UnfinishedInstance) throw error;
    throw new UnfinishedInstance(id, describeFault(context, error), { cause: error });
  }
}

/** Waits for a machine that is bought; sets it up where the vendor has not. */
export async function awaitRunning(
  context: InstanceContext,
  id: string,
  order: InstanceOrder,
  until: number,
): Promise<VendorInstance> {
  const { vendor, signal, pollMs, report } = context;
  let told = '';
  for (;;) {
    const instance = await vendor.get(id, { signal });
    if (instance === undefined) throw new UnfinishedInstance(id, `${vendor.label} no longer has the machine.`);
    if (instance.state !== told) report(`${vendor.label}: ${instance.state.replaceAll('_', ' ')}`);
    told = instance.state;
    if (instance.phase === 'ready') return instance;
    if (instance.phase === 'broken')
      throw new UnfinishedInstance(
        id,
        `${vendor.label} could not start the machine (${instance.reason ?? instance.state}).`,
      );
    if (Date.now() >= until)
      throw new UnfinishedInstance(
        id,
        `${vendor.label} did not have the machine running within ${Math.round(context.deadlineMs / 1000)} s (last state: ${instance.state}).`,
      );
    await vendor.finish(id, order, { signal });
    await pause(pollMs, signal);
  }
}

/** The id of the one machine of this name: found, or bought exactly once. */
async function obtain(context: InstanceContext, order: InstanceOrder, until: number): Promise<string> {
  const { vendor, report } = context;
  for (let attempt = 1; ; attempt += 1) {
    const found = await findOne(context, order.name);
    if (found !== undefined) {
      report(`${vendor.label}: found the machine that was ordered before`);
      return found.id;
    }
    try {
      report(`${vendor.label}: ordering the machine`);
      // Not to be interrupted: an order that is on its way can't be called back, so its answer is waited for.
      const id = await vendor.buy(order);
      return id ?? (await awaitOrder(context, order.name, until));
    } catch (error) {
      if (!(error instanceof VendorError) || !error.retryable || attempt >= BUY_TRIES)
        throw new Error(describeFault(context, error), { cause: error });
      const id = await findLost(context, order.name, error);
      if (id !== undefined) return id;
    }
  }
}

/** After an order that may or may not have reached the vendor: looks before anything is ordered again. */
async function findLost(context: InstanceContext, name: string, error: VendorError): Promise<string | undefined> {
  const waitMs = Math.min((error.retryAfterSeconds ?? 0) * 1000, 60_000);
  await pause(Math.max(waitMs, context.pollMs), context.signal);
  if (!error.uncertain) return undefined;
  for (let look = 1; look <= LOOKS_AFTER_LOST_ANSWER; look += 1) {
    const found = await findOne(context, name);
    if (found !== undefined) return found.id;
    await pause(context.pollMs, context.signal);
  }
  return undefined;
}

/** An order that waits for its payment is never repeated: that can be charged twice. */
async function awaitOrder(context: InstanceContext, name: string, until: number): Promise<string> {
  context.report(`${context.vendor.label}: waiting for the payment`);
  while (Date.now() < until) {
    await pause(context.pollMs, context.signal);
    const found = await findOne(context, name);
    if (found !== undefined) return found.id;
  }
  throw new Error(`${context.vendor.label} has taken the order and not delivered the machine in time.`);
}

async function findOne({ vendor, signal }: InstanceContext, name: string): Promise<VendorInstance | undefined> {
  const found = await vendor.find(name, { signal });
  if (found.length > 1)
    throw new Error(
      `${vendor.label} has ${found.length} machines named ${name} (${found.map(({ id }) => id).join(', ')}); one too many must be given up by hand.`,
    );
  return found[0];
}

/**
 * Gives a machine up as far as the vendors let one: disk wiped, renewal ended, name taken away. Each step may be repeated, so a
 * run that was cut short is simply run again. A machine that is gone already is fine.
 */
export async function releaseInstance(
  context: InstanceContext,
  { id, domain }: { id: string; domain: string },
): Promise<void> {
  const { vendor, signal, report } = context;
  const instance = await vendor.get(id, { signal });
  if (instance === undefined) return;
  const isReleased = instance.name === releasedName(id);
  if (!isReleased) await vendor.tidy(instance.name, { signal });
  if (!isReleased && instance.mayHoldData) {
    report(`${vendor.label}: wiping the disk`);
    await vendor.wipe(id, { signal });
    await awaitWiped(context, id);
  }
  report(`${vendor.label}: ending the renewal`);
  await vendor.endRenewal(id, { signal });
  if (isReleased) return;
  // A machine that never ran may be stuck in a state that forbids the rest; its ended renewal alone keeps it from being adopted.
  if (!instance.mayHoldData) await unlessRefused(() => vendor.wipe(id, { signal }));
  await unlessRefused(() => vendor.rename(id, releasedName(id), domain, { signal }));
}

async function unlessRefused(action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    if (!(error instanceof VendorError) || error.kind !== 'refused') throw error;
  }
}

async function awaitWiped(context: InstanceContext, id: string): Promise<void> {
  const until = Date.now() + context.deadlineMs;
  for (;;) {
    const instance = await context.vendor.get(id, { signal: context.signal });
    if (instance === undefined || instance.phase === 'ready') return;
    if (instance.phase === 'broken' || Date.now() >= until)
      throw new Error(
        `${context.vendor.label} has not wiped the disk (last state: ${instance.reason ?? instance.state}).`,
      );
    await pause(context.pollMs, context.signal);
  }
}

/** What went wrong, in words for the customer. */
export function describeFault({ vendor, signal }: InstanceContext, error: unknown, verb = 'make'): string {
  if (signal.aborted) return 'The work was interrupted and can be taken up again.';
  if (error instanceof VendorError) {
    // The status is for the log; where the vendor gave its reason, that is what a customer can use.
    const reason = error.message.replace(/^\w+ answered \d{3}: /, '').replace(/\.$/, '');
    return `${vendor.label} did not ${verb} the machine: ${reason}.`;
  }
  return error instanceof Error ? error.message : String(error);
}
