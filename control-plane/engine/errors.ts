import { SpoqError } from '../../contract/errors.ts';
import type { StepName } from '../../contract/vps.ts';
import type { ResourceFailure } from './events.ts';
import { EngineExit } from './pulumi.ts';
import type { Redact } from './redact.ts';

/** Who holds a stack's lock, as the engine tells it. */
export interface LockOwner {
  hostname: string;
  pid: number;
}

// The engine reports by text only. Every sentence of it that we rely on is in this file and is tested on the real engine.
const MISSING = /no stack named '.*' found/;
const LOCKED = /the stack is currently locked by \d+ lock/;
const LOCK_OWNER = /created by \S*@(\S+) \(pid (\d+)\)/g;
const EXISTS = /stack '.*' already exists/;

export function isStackMissing(error: unknown): boolean {
  return error instanceof EngineExit && MISSING.test(error.result.stderr);
}

export function isStackThere(error: unknown): boolean {
  return error instanceof EngineExit && EXISTS.test(error.result.stderr);
}

/** The owners of the lock that stopped a command, or undefined when it wasn't a lock. */
export function parseLockOwners(error: unknown): LockOwner[] | undefined {
  if (!(error instanceof EngineExit)) return undefined;
  const said = error.result.stderr + error.result.stdout;
  if (!LOCKED.test(said)) return undefined;
  return [...said.matchAll(LOCK_OWNER)].map(([, hostname = '', pid = '']) => ({ hostname, pid: Number(pid) }));
}

const SENTENCES: Partial<Record<StepName, (message: string) => string>> = {
  machine: (message) => message,
  address: (message) => `The box's name could not be set: ${message}`,
  files: takeLastLine,
  box: takeLastLine,
};

/** What a script says last is why it failed. */
function takeLastLine(message: string): string {
  return message.split('\n').findLast((line) => line.trim() !== '') ?? message;
}

/** How the command plugin tells that it never got in. */
const UNREACHABLE = /^after \d+ failed attempts: ([^\n]*)/;

export interface FailureContext {
  failures: ResourceFailure[];
  signal?: AbortSignal;
  redact: Redact;
}

/**
 * Whatever a run of the engine threw. A SpoqError is final, and a customer may read its `detail`; anything else may be tried again
 * (stack_busy and cancelled too).
 */
export function toEngineError(error: unknown, { failures, signal, redact }: FailureContext): unknown {
  if (error instanceof SpoqError) return error;
  if (signal?.aborted)
    return new SpoqError('cancelled', { detail: 'The work was interrupted and can be taken up again.', cause: error });
  if (isStackMissing(error)) return new SpoqError('stack_missing', { cause: error });
  if (parseLockOwners(error) !== undefined) return new SpoqError('stack_busy', { cause: error });
  if (!(error instanceof EngineExit)) return error;
  const said = redact(`${error.message}\n${error.result.stderr}\n${error.result.stdout}`.trim());
  const [failure] = failures;
  // Killed, or broken before it came to a resource: the box is not at fault, and the same may well work when it is done again.
  if (error.result.code < 0) return new Error('The engine was killed', { cause: new Error(said) });
  if (failure === undefined)
    return new Error('The engine failed before it came to a resource', { cause: new Error(said) });
  const unreachable =
    failure.step === 'box' || failure.step === 'files' ? UNREACHABLE.exec(failure.message)?.[1] : undefined;
  if (unreachable !== undefined)
    return new SpoqError('box_unreachable', {
      detail: redact(`The box could not be reached over SSH (${unreachable.trim()}). Nothing was changed on it.`),
      next: 'See whether the machine runs, then try again.',
      cause: new Error(said),
    });
  const sentence =
    (failure.step === undefined ? undefined : SENTENCES[failure.step])?.(failure.message) ?? failure.message;
  return new SpoqError('engine_failed', { detail: redact(sentence), cause: new Error(said) });
}
