import type { ProviderName, StepName } from '../../contract/vps.ts';
import type { BoxOutputs } from '../../stacks/outputs.ts';
import type { BoxSpec } from '../../stacks/spec.ts';

/** What goes into a stack and comes out of it: the rest of the control plane knows the stacks by this module alone. */
export type { BoxOutputs, BoxSpec };
export { isMachineOf, toMachineName } from '../../stacks/machine-name.ts';

/** One line of progress in words for the customer. Never holds a secret. `step` is never `queued` or `ready`: the caller tells those. */
export interface EngineEvent {
  step: StepName;
  state: 'started' | 'progress' | 'done' | 'failed';
  message: string;
}

export interface EngineOptions {
  onEvent?: (event: EngineEvent) => void;
  /** Aborting asks the engine to stop: it ends what it is at, writes its state and lets go of its lock within seconds. */
  signal?: AbortSignal;
  /**
   * The caller holds the lease on this stack, so a lock found on it was left by a process that died: the engine makes sure
   * that it is dead and removes the lock. Without it, a lock means `stack_busy`.
   */
  takeOver?: boolean;
}

export interface UpOptions extends EngineOptions {
  /** Nothing was ever tried for this stack: spares the engine a look. A mistake costs a moment and nothing else. */
  isFirst?: boolean;
}

/** What one resource of the stack would see. `lost`: what nobody could bring back afterwards, in plain words. */
export interface PreviewStep {
  resource: string;
  type: string;
  operation: 'same' | 'create' | 'update' | 'replace' | 'delete';
  /** Input properties that differ, sorted. */
  changes: string[];
  sentence: string;
  lost?: string;
}

export interface Preview {
  stack: string;
  /** False when nothing would change. */
  changed: boolean;
  steps: PreviewStep[];
  /** The whole preview in plain words, one sentence a line. */
  summary: string[];
}

/** One stack that the backend holds. `updated_at` is null before its first update. */
export interface StackSummary {
  stack: string;
  updated_at: string | null;
  resource_count: number | null;
}

/** One instance that a vendor bills for. `ends_at` is set once its renewal has been ended. */
export interface VendorMachine {
  provider: ProviderName;
  provider_instance_id: string;
  /** The stack that it is named after; `released <id>` once wiped and given up. */
  name: string;
  region: string;
  product: string;
  /** The vendor's own word. */
  state: string;
  ip_address: string | null;
  ends_at: string | null;
}

/**
 * The one way from the control plane to stacks. What a vendor or the box refuses is a SpoqError `engine_failed`, whose `detail` a
 * customer may read; `stack_busy`, `stack_missing` and `cancelled` mean what they say. Any other error means that the engine itself
 * was killed or broken: the same call may be made again, with `takeOver`.
 */
export interface Engine {
  /**
   * Makes or changes a box, taking up whatever an earlier run left behind. A move is three of these: `copy`, `switch`, and without
   * one, on the new machine; then the old one is given up.
   */
  up(spec: BoxSpec, options?: UpOptions): Promise<BoxOutputs>;
  /**
   * Takes a move back, however far it has come: the box serves where it was, with its name leading there. Answers the machine that it
   * was to go to, given up, if there is one. The specification says the move, in stage `return`.
   */
  takeBack(spec: BoxSpec, options?: EngineOptions): Promise<VendorMachine[]>;
  /**
   * Brings the software and the password of a living box to what the spec says, and touches nothing else of its stack, whatever else
   * would have changed. `box_unreachable` when its SSH server isn't there: then nothing was changed.
   */
  converge(spec: BoxSpec, options?: EngineOptions): Promise<void>;
  /**
   * Switches the machine of a box off, and touches nothing else of its stack. Its disk, address and name stay; the spec says the
   * operation, `suspend`. An `up` with `resume` switches it on again.
   */
  suspend(spec: BoxSpec, options?: EngineOptions): Promise<void>;
  /** What `up` would do. Changes nothing. */
  preview(spec: BoxSpec, options?: EngineOptions): Promise<Preview>;
  /** What `destroy` would do. Changes nothing. */
  previewDestroy(stack: string, options?: EngineOptions): Promise<Preview>;
  /**
   * DNS record away, disk wiped, renewal ended, state removed; also finds machines of that name that no state knows of.
   * A stack that isn't there is fine: the vendors are asked all the same. Answers the machines that were given up.
   */
  destroy(stack: string, providers: readonly ProviderName[], options?: EngineOptions): Promise<VendorMachine[]>;
  /** Reads what is really there into the state. */
  refresh(stack: string, options?: EngineOptions): Promise<void>;
  /** What the last `up` ended with, or undefined: no such stack, or not made completely. */
  outputs(stack: string): Promise<BoxOutputs | undefined>;
  listStacks(): Promise<StackSummary[]>;
  /** Every instance that the vendor lists, ours or not. */
  inventory(provider: ProviderName, options?: { signal?: AbortSignal }): Promise<VendorMachine[]>;
  /** Ends the plugins that are kept running between operations. They also end with this process, however that ends. */
  close(): Promise<void>;
}
