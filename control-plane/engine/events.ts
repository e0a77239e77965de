import type { EngineEvent as PulumiEvent } from '@pulumi/pulumi/automation/index.js';
import { STEPS, type StepName } from '../../contract/vps.ts';
import type { BoxSpec, EngineEvent } from './engine.ts';
import type { Redact } from './redact.ts';

/** Which step of the customer's page a resource belongs to, by its type. */
const STEP_OF_TYPE: Record<string, StepName> = {
  'spoq:index:SshKey': 'keys',
  'spoq:index:Instance': 'machine',
  'cloudflare:index/dnsRecord:DnsRecord': 'address',
  'command:local:Command': 'box',
  'command:remote:Command': 'box',
};

type Shape = Pick<BoxSpec, 'converge' | 'move'>;

/** How many resources a step has. Of a move only those that it is about: what was there before isn't done by it. */
function countResources({ converge, move }: Partial<Shape> = {}): Partial<Record<StepName, number>> {
  const box = converge === 'ssh' ? 2 : 1;
  if (move === undefined) return { keys: 2, machine: 1, address: 1, box };
  return move.stage === 'copy' ? { machine: 2 } : move.stage === 'switch' ? { files: 1, address: 1, box } : {};
}

const REMOVING: Partial<Record<StepName, string>> = {
  keys: 'Forgetting the keys',
  machine: 'Wiping the machine and ending its contract',
  address: 'Removing the name',
  files: 'The move is over',
  box: 'Saying goodbye to the box',
};

const CHANGING: Partial<Record<StepName, string>> = { machine: 'Changing your machine' };

const STACK_TYPE = 'pulumi:pulumi:Stack';

export type { PulumiEvent };

/** A resource that failed, with the words of its provider. */
export interface ResourceFailure {
  step: StepName | undefined;
  message: string;
}

/** What was seen of one run of the engine. */
export interface EventLog {
  /** Give it to the Automation API as `onEvent`. */
  handle(event: PulumiEvent): void;
  /** The stack's outputs, as far as it got. */
  outputs(): Record<string, unknown>;
  failures(): ResourceFailure[];
  /** An earlier run was killed while a vendor was being asked: the engine's state remembers that. */
  hadPendingOperations(): boolean;
  /** Every step that the engine took, in order. */
  steps(): StepMetadata[];
}

export type StepMetadata = NonNullable<PulumiEvent['resourcePreEvent']>['metadata'];

/** Folds the engine's events into progress for the customer and what the caller must know afterwards. */
export function createEventLog(onEvent: (event: EngineEvent) => void, redact: Redact, spec?: Shape): EventLog {
  const resources = countResources(spec);
  const steps: StepMetadata[] = [];
  const failures: ResourceFailure[] = [];
  const started = new Set<StepName>();
  const finished = new Map<StepName, number>();
  const failed = new Set<StepName>();
  let outputs: Record<string, unknown> = {};
  let pending = false;

  const begin = (step: StepName, words?: string): void => {
    if (started.has(step)) return;
    started.add(step);
    onEvent({ step, state: 'started', message: words ?? STEPS[step] });
  };
  const finish = (step: StepName, message: string): void => {
    finished.set(step, (finished.get(step) ?? 0) + 1);
    if (finished.get(step) === resources[step] && !failed.has(step)) onEvent({ step, state: 'done', message });
  };
  const fail = (step: StepName | undefined, message: string): void => {
    failures.push({ step, message });
    if (step === undefined || failed.has(step)) return;
    failed.add(step);
    onEvent({ step, state: 'failed', message });
  };

  const handle = (event: PulumiEvent): void => {
    const { resourcePreEvent: pre, resOutputsEvent: done, diagnosticEvent: said } = event;
    if (pre !== undefined) {
      steps.push(pre.metadata);
      const step = stepOfUrn(pre.metadata.urn);
      const words = pre.metadata.op === 'delete' ? REMOVING : pre.metadata.op === 'update' ? CHANGING : undefined;
      if (step !== undefined && pre.metadata.op !== 'same') begin(step, words?.[step]);
    }
    if (done !== undefined) {
      const step = stepOfUrn(done.metadata.urn);
      // A replacement ends three times: the old one's removal, the new one, and both together.
      if (step !== undefined && !isRemoval(done.metadata.op)) finish(step, describeDone(step));
      if (done.metadata.type === STACK_TYPE) outputs = { ...done.metadata.new?.outputs };
    }
    if (said !== undefined) {
      const message = redact(stripColors(said.message)).trim();
      const step = stepOfUrn(said.urn);
      if (said.severity === 'warning' && /pending operations? from previous deployment/.test(message)) pending = true;
      else if (said.severity === 'error' && said.urn && step !== undefined) fail(step, takeSentence(message));
      else if (said.severity.startsWith('info') && step !== undefined && message !== '') {
        begin(step);
        onEvent({ step, state: 'progress', message });
      }
    }
  };
  return {
    handle,
    outputs: () => outputs,
    failures: () => failures,
    hadPendingOperations: () => pending,
    steps: () => steps,
  };
}

function isRemoval(op: string): boolean {
  return op.startsWith('delete') || op.startsWith('discard') || op === 'remove-pending-replace';
}

function describeDone(step: StepName): string {
  const sentences: Partial<Record<StepName, string>> = {
    keys: 'Your keys are made',
    machine: 'Your machine runs',
    files: 'Your files are copied',
    address: 'It has its name',
    box: 'Your box answers',
  };
  return sentences[step] ?? STEPS[step];
}

/** urn:pulumi:<stack>::<project>::<parents>$<type>::<name> */
function stepOfUrn(urn: string | undefined): StepName | undefined {
  const [, , types, name] = urn?.split('::') ?? [];
  return name?.endsWith('-carry') ? 'files' : STEP_OF_TYPE[types?.split('$').at(-1) ?? ''];
}

/** What a resource that was made and does not work says comes as a list: `1 error occurred:\n\t* <sentence>\n`. */
function takeSentence(message: string): string {
  const listed = /^\d+ errors? occurred:\s*\* ([\s\S]*)$/.exec(message)?.[1];
  return (listed ?? message).split('\n\t* ').join(' ').trim();
}

/** Messages carry colour marks like <{%fg 1%}>. */
function stripColors(text: string): string {
  return text.replace(/<\{%.*?%\}>/g, '');
}
