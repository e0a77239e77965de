import type { ConversationEvent } from '../../contract/conversation.ts';
import { SpoqError } from '../../contract/errors.ts';
import type { BoxAccess } from '../box/connection.ts';
import type { OnWait } from '../box/patience.ts';
import { followTurn, interruptTurn } from '../box/turn.ts';
import type { Beginning } from '../box/turn.ts';
import type { CliDeps } from '../deps.ts';
import { isErrorCode } from '../http/problem.ts';
import { startSpinner } from '../terminal/spinner.ts';
import type { Spinner } from '../terminal/spinner.ts';
import { createApprover } from './approve.ts';
import { createTurnPrinter } from '../terminal/turn-printer.ts';
import type { TurnPrinter } from '../terminal/turn-printer.ts';

export interface ShowOptions {
  json: boolean;
  noColor: boolean;
  /** Print also what was asked. */
  questions: boolean;
  /** Answer JSON only when it is whole, on one line. */
  whole?: boolean;
  /** Told of each event after it was printed. */
  onEvent?: (event: ConversationEvent) => void | Promise<void>;
  /** Ctrl-C leaves it at work. */
  detach?: boolean;
  /** Answer everything that is asked for with "once". */
  yes?: boolean;
  /** False: fail when something is asked for and nobody is there. */
  wait?: boolean;
  /** Turns up to this one are over: what they have asked for was answered, or isn't waited for any more. */
  overUntil?: number;
  /** Said when the person stops it or leaves it: what there is of it, and how to go on. */
  kept?: string;
  /** What is waited for, before the first event. */
  waiting?: string;
}

/** Why something is waited for, told on stderr. */
export function createOnWait(deps: CliDeps, { json }: { json: boolean }, spinner?: Spinner): OnWait {
  return (message) => {
    if (json) return deps.stderr.write(`${JSON.stringify({ type: 'waiting', message })}\n`);
    return spinner?.say(message) ?? deps.stderr.write(`${message}\n`);
  };
}

/**
 * Prints a turn to its end, however often the line is lost. Ctrl-C ends it on the box as well, unless it is only watched. Throws what it
 * failed with.
 */
export async function showTurn(
  deps: CliDeps,
  box: BoxAccess,
  beginning: Beginning,
  options: ShowOptions,
): Promise<void> {
  const spinner = startSpinner(deps, options.waiting ?? `Asking ${box.on_box ? 'this box' : box.url.hostname}…`);
  const printer = createTurnPrinter(deps, options);
  let conversation = 'conversation' in beginning ? beginning.conversation : undefined;
  let turn = 1;
  // Who leaves a question at the prompt leaves the run as by Ctrl-C.
  const left = new AbortController();
  const inner = { ...deps, signal: AbortSignal.any([deps.signal, left.signal]) };
  const onWait = createOnWait(deps, options, spinner);
  const approver = createApprover(
    inner,
    box,
    () => conversation ?? '',
    { json: options.json, yes: options.yes ?? false, wait: options.wait ?? true },
    onWait,
  );
  approver.failed.catch((error: unknown) => left.abort(error));
  try {
    for await (const event of followTurn(inner, box, beginning, onWait)) {
      if (event.type === 'start') ({ conversation, turn } = event);
      if (event.type !== 'start' || options.questions) await spinner.stop();
      await printer.print(event);
      if (turn > (options.overUntil ?? 0)) await approver.take(event);
      await options.onEvent?.(event);
      await settle(deps, event, printer, options);
    }
  } catch (error) {
    const isOver = error instanceof SpoqError && error.code === 'approval_needed';
    const isLeft = deps.signal.aborted || left.signal.aborted;
    let isKept = isLeft;
    if ((isLeft || isOver) && conversation !== undefined && options.detach !== true) {
      await spinner.stop();
      isKept = (await interruptTurn(deps, box, conversation)) && isLeft;
    }
    const reason: unknown = left.signal.aborted ? left.signal.reason : error;
    if (isKept && conversation !== undefined && options.kept !== undefined) {
      // Nothing was stopped: that it goes on is all there is to say.
      if (options.detach === true && isCancelled(reason)) throw new SpoqError('cancelled', { detail: options.kept });
      if (!options.json) {
        await spinner.stop();
        await printer.end();
        await deps.stderr.write(`${options.kept}\n`);
      }
    }
    throw reason;
  } finally {
    approver.end();
    await spinner.stop();
    await printer.end();
  }
}

/** What the end of an answer means for the person and for the exit code. */
async function settle(
  deps: CliDeps,
  event: ConversationEvent,
  printer: TurnPrinter,
  options: ShowOptions,
): Promise<void> {
  if (event.type === 'done' && event.stop_reason === 'length' && !options.json) {
    await printer.end();
    await deps.stderr.write(
      'The answer was cut: it reached the most tokens that one answer may have. Ask for the rest: spoq ask -c "go on"\n',
    );
  }
  if (event.type === 'error') throw toError(event);
}

/** A failure of the box as this program's own. */
export function toError(event: Extract<ConversationEvent, { type: 'error' }>): SpoqError {
  return new SpoqError(isErrorCode(event.code) ? event.code : 'model_failed', {
    detail: event.detail ?? (isErrorCode(event.code) ? undefined : event.title),
    next: event.next_step,
    ...(event.retry_after_seconds === undefined ? {} : { retryAfterSeconds: event.retry_after_seconds }),
  });
}

/** The person has left it. */
export function isCancelled(error: unknown): boolean {
  return error instanceof SpoqError && error.code === 'cancelled';
}
