import type { ConversationEvent } from '../../contract/conversation.ts';
import { SpoqError } from '../../contract/errors.ts';
import type { CliDeps } from '../deps.ts';
import { ConnectionFailure } from '../http/failure.ts';
import { callBox } from './connection.ts';
import type { BoxAccess, BoxRequest } from './connection.ts';
import { isLast, readEvents } from './events.ts';
import type { OnWait } from './patience.ts';

/** Where a stream of events begins: a request that begins a turn and may be sent again, or a conversation that is there. */
export type Beginning =
  | { path: string; body: string }
  | {
      conversation: string;
      /** The first turn to be told. */
      from: number;
      /** The last one: its end is the end. */
      turn: number;
    };

/** How far one has come. */
interface Position {
  conversation: string;
  after: number;
  turn: number;
}

/** A box that doesn't answer goes on working: a laptop may sleep, a train may leave its tunnel. */
const LOST_MS = 15 * 60_000;
const PAUSES_MS = [250, 500, 1000, 2000, 5000];

/**
 * The events of a turn, or of some, each once and in order, however often the line is lost. Ends after the last event of the last turn. Throws what the box answers, and `answer_incomplete` when it can't be reached for 15 minutes.
 */
export async function* followTurn(
  deps: CliDeps,
  box: BoxAccess,
  beginning: Beginning,
  onWait: OnWait,
): AsyncGenerator<ConversationEvent> {
  let at: Position | undefined = 'path' in beginning ? undefined : { ...beginning, after: 0 };
  const from = 'path' in beginning ? 0 : beginning.from;
  let current = 0;
  let lostAt: number | undefined;
  let tries = 0;
  for (;;) {
    let reason = 'ended the stream before the answer was complete';
    try {
      const response = await callBox(deps, box, createRequest(beginning, at), onWait);
      for await (const { number, event } of readEvents(response, box.url.hostname)) {
        [lostAt, tries] = [undefined, 0];
        if (event?.type === 'start') {
          current = event.turn;
          at ??= { conversation: event.conversation, after: 0, turn: event.turn };
        }
        if (at !== undefined && number !== null) at.after = number;
        if (event === undefined || current < from) continue;
        yield event;
        if (isLast(event) && current === (at?.turn ?? current)) return;
      }
    } catch (error) {
      if (error instanceof SpoqError && !(error.code === 'box_unreachable' && at !== undefined)) throw error;
      if (!(error instanceof SpoqError || error instanceof ConnectionFailure)) throw error;
      if (error instanceof ConnectionFailure) ({ reason } = error);
    }
    lostAt ??= deps.now();
    const pauseMs = PAUSES_MS[Math.min(tries, PAUSES_MS.length - 1)] ?? 0;
    if (deps.now() + pauseMs - lostAt > LOST_MS) throw describeLoss(box, reason, at?.conversation);
    if (tries === 0) await onWait(`${box.url.hostname} ${reason}. It goes on by itself; trying to read on…`);
    tries += 1;
    await deps.sleep(pauseMs, deps.signal);
  }
}

function createRequest(beginning: Beginning, at: Position | undefined): BoxRequest {
  const accept = 'text/event-stream';
  if (at !== undefined) {
    const path = `/api/conversations/${at.conversation}/events?turn=${at.turn}`;
    return { method: 'GET', path, accept, ...(at.after > 0 ? { lastEventId: String(at.after) } : {}) };
  }
  if ('path' in beginning)
    return { method: 'POST', path: beginning.path, accept, body: beginning.body, keepAlive: true, repeatable: true };
  throw new Error('a conversation that is there has a position');
}

function describeLoss(box: BoxAccess, reason: string, conversation: string | undefined): SpoqError {
  return new SpoqError('answer_incomplete', {
    detail: `${box.url.hostname} ${reason}, and could not be reached for 15 minutes.`,
    next:
      conversation === undefined
        ? 'Ask again.'
        : `What it says is kept: read it with \`spoq resume ${conversation.slice(0, 8)}\`.`,
  });
}

/** Long enough for a slow line; who presses Ctrl-C again doesn't wait for it. */
const INTERRUPT_MS = 3_000;

/** Ends what is at work in a conversation. False when the box could not be told, which is said. */
export async function interruptTurn(deps: CliDeps, box: BoxAccess, conversation: string): Promise<boolean> {
  const patient = { ...deps, signal: AbortSignal.timeout(INTERRUPT_MS) };
  const path = `/api/conversations/${conversation}/interrupt`;
  try {
    const response = await callBox(patient, box, { method: 'POST', path, accept: 'application/json' }, async () => {});
    await response.text();
    return true;
  } catch (error) {
    if (!(error instanceof SpoqError) && !(error instanceof ConnectionFailure)) throw error;
    await deps.stderr.write(
      `The box could not be told to stop: it goes on to the end. \`spoq resume ${conversation.slice(0, 8)}\` shows what it says.\n`,
    );
    return false;
  }
}
