import { createParser } from 'eventsource-parser';
import type { EventSourceMessage } from 'eventsource-parser';
import { ConversationEvent } from '../../contract/conversation.ts';
import { SpoqError } from '../../contract/errors.ts';
import type { HttpResponse } from '../http/client.ts';
import { parseJson } from '../http/problem.ts';

/** An event with its number in its conversation; null where the box could not write it down. */
export interface NumberedEvent {
  number: number | null;
  /** Undefined for a kind that this program doesn't know. */
  event: ConversationEvent | undefined;
}

/** One event holds a few words, or what a program printed. Something that never ends an event isn't a conductor. */
const MAX_EVENT_CHARS = 4 * 1024 * 1024;

/**
 * The events of a stream as they arrive; ends with it. Throws `ConnectionFailure` when the line is lost, and `answer_incomplete` when
 * what comes is not a stream of events.
 */
export async function* readEvents(response: HttpResponse, host: string): AsyncGenerator<NumberedEvent> {
  const messages: EventSourceMessage[] = [];
  let broken = false;
  const parser = createParser({
    maxBufferSize: MAX_EVENT_CHARS,
    onEvent: (message) => messages.push(message),
    onError: (error) => {
      broken ||= error.type === 'max-buffer-size-exceeded';
    },
  });
  const decoder = new TextDecoder();
  for await (const chunk of response.chunks()) {
    parser.feed(decoder.decode(chunk, { stream: true }));
    for (const message of messages.splice(0)) yield parseEvent(message);
    if (broken) throw new SpoqError('answer_incomplete', { detail: `${host} sent something that is not an answer.` });
  }
}

function parseEvent({ id, data }: EventSourceMessage): NumberedEvent {
  const value = parseJson(data);
  if (value === undefined)
    throw new SpoqError('answer_incomplete', { detail: 'The box sent an event that cannot be read.' });
  const number = id !== undefined && /^\d+$/.test(id) ? Number(id) : null;
  return { number, event: ConversationEvent.safeParse(value).data };
}

/** Whether a turn is over with this event. */
export function isLast(event: ConversationEvent): boolean {
  return event.type === 'done' || event.type === 'error';
}
