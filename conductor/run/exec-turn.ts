import { SpoqError } from '../../contract/errors.ts';
import type { ConversationEvent } from '../../contract/conversation.ts';
import type { InputRequest } from '../../contract/run.ts';
import type { Outcome } from '../conversations/outcome.ts';
import type { Turn } from '../conversations/conversations.ts';
import { WorkError } from '../workplace/workplace.ts';
import type { ExecCommand, WorkProcess } from '../workplace/workplace.ts';
import type { Approvals } from './approvals.ts';
import type { OpenPlaces } from './open-places.ts';
import { createPermissions } from './permissions.ts';
import type { RuleTexts } from './permissions.ts';
import { createProgress, tellChanges } from './run-turn.ts';

export interface ExecTurnDeps {
  approvals: Approvals;
  places: OpenPlaces;
  rules: RuleTexts;
  reportBug(error: unknown): void;
}

/** A program at work, for who gives it input. */
export interface RunningExec {
  /** Bytes by their offset: what came before is passed over, so that sending twice is sending once. */
  input(request: InputRequest): Promise<{ received: number }>;
}

export interface ExecInput {
  workspace: string;
  command: ExecCommand;
  stdin: boolean;
}

/** What one program may write: it lies in the database until the conversation is deleted. */
const MAX_OUTPUT_BYTES = 256 * 1024 * 1024;
/** One event. */
const MAX_PIECE = 64 * 1024;
/** The only call of its turn. */
const CALL = 'exec';

/** Runs one program to its end. Never throws. `onStart` is given what takes its input. */
export async function workOnExec(
  deps: ExecTurnDeps,
  turn: Turn,
  input: ExecInput,
  onStart: (running: RunningExec) => void,
): Promise<void> {
  try {
    let outcome: Outcome;
    try {
      await run(deps, turn, input, onStart);
      outcome = { stop_reason: 'exit', input_tokens: null, output_tokens: null };
    } catch (error) {
      const failure = error instanceof WorkError ? new SpoqError('workplace_lost', { detail: error.message }) : error;
      if (!(failure instanceof SpoqError)) deps.reportBug(failure);
      outcome = { failure: failure instanceof SpoqError ? failure : new SpoqError('internal') };
    }
    await tellChanges(deps, turn, !('failure' in outcome), true);
    await turn.end(outcome);
  } catch (error) {
    // Its end could not be written down: who follows it is told so.
    turn.drop();
    if (!(error instanceof SpoqError)) deps.reportBug(error);
  } finally {
    deps.approvals.forget(turn.conversation);
  }
}

async function run(
  deps: ExecTurnDeps,
  turn: Turn,
  input: ExecInput,
  onStart: (running: RunningExec) => void,
): Promise<void> {
  const { conversation, signal } = turn;
  const permissions = createPermissions({
    approvals: deps.approvals,
    turn,
    workspace: input.workspace,
    configured: deps.rules,
    given: { allow: [], deny: [] },
    signal,
  });
  await deps.places.use(
    conversation,
    async (place) => {
      place.onConnect((host) => permissions.connect(host));
      signal.throwIfAborted();
      const child = place.exec(input.command);
      const isFed = input.stdin || input.command.tty !== undefined;
      if (!isFed) child.end();
      onStart(createRunning(child, isFed));
      // Whoever interrupts it wants it to end, in order first.
      const stop = (): void => child.kill('SIGKILL');
      signal.addEventListener('abort', stop, { once: true });
      if (signal.aborted) stop();
      try {
        await tellOutput(turn, child);
        const { code, signal: by } = await child.exit;
        signal.throwIfAborted();
        await turn.emit({ type: 'exit', code, signal: by });
      } finally {
        signal.removeEventListener('abort', stop);
      }
    },
    { progress: createProgress(turn), signal },
  );
}

/** What comes while an event is being written goes into the next one: as many events as the disk takes, and no byte changed. */
async function tellOutput(turn: Turn, child: WorkProcess): Promise<void> {
  let total = 0;
  for await (const { stream, data } of child.output) {
    total += data.length;
    if (total > MAX_OUTPUT_BYTES) {
      child.kill('SIGKILL');
      throw new SpoqError('output_too_large', {
        detail: `The limit is ${MAX_OUTPUT_BYTES / 1024 ** 2} MiB. The program was ended.`,
      });
    }
    for (let at = 0; at < data.length; at += MAX_PIECE)
      await turn.emit(describeOutput(stream, data.subarray(at, at + MAX_PIECE)));
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function describeOutput(stream: 'stdout' | 'stderr', data: Uint8Array): ConversationEvent {
  try {
    return { type: 'tool_output', call: CALL, stream, text: decoder.decode(data) };
  } catch {
    return { type: 'tool_output', call: CALL, stream, data: Buffer.from(data).toString('base64') };
  }
}

function createRunning(child: WorkProcess, isFed: boolean): RunningExec {
  let received = 0;
  let isEnded = !isFed;
  // One after the other: what is sent again waits for what was sent first.
  let last: Promise<unknown> = Promise.resolve();
  const give = async (offset: number, data: Buffer, end: boolean): Promise<{ received: number }> => {
    if (offset > received) {
      throw new SpoqError('input_refused', {
        detail: `${received} bytes have arrived, and these begin at ${offset}.`,
        next: `Send from byte ${received} on.`,
      });
    }
    const fresh = data.subarray(received - offset);
    if (isEnded && fresh.length > 0)
      throw new SpoqError('input_refused', { detail: isFed ? 'Its input has ended.' : 'It was begun without input.' });
    received += fresh.length;
    // A program that has ended, or doesn't read, has no use for it: that is no failure of who sends it.
    if (fresh.length > 0) await child.write(fresh).catch(() => undefined);
    if (end && !isEnded) child.end();
    isEnded ||= end;
    return { received };
  };
  return {
    async input(request) {
      if ('resize' in request) child.resize(request.resize.columns, request.resize.rows);
      else if ('signal' in request) child.kill(request.signal);
      else {
        const { offset, data, end = false } = request;
        const given = last.then(() => give(offset, Buffer.from(data, 'base64'), end));
        last = given.catch(() => undefined);
        return given;
      }
      return { received };
    },
  };
}
