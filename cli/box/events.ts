import { createParser } from 'eventsource-parser';
import type { EventSourceMessage } from 'eventsource-parser';
import { SpoqError } from '../../contract/errors.ts';
import { ConversationEvent } from '../../contract/conversation.ts';
import type { HttpResponse } from '../http/client.ts';
import { ConnectionFailure } from '../http/failure.ts';
import { parseJson } from '../http/problem.ts';

/** One event holds a few words. Something that never ends an event isn't a conductor. */
const MAX_EVENT_CHARS = 1024 * 1024;

/**
 * The events of an answer as they arrive. Ends after `done` or `error`; throws `answer_incomplete` when the stream stops
 * before either. Events of kinds that this program doesn't know are left out.
 */
export async function* readAnswer(response: HttpResponse, host: string): AsyncGenerator<ConversationEvent> {
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
  try {
    for await (const chunk of response.chunks()) {
      parser.feed(decoder.decode(chunk, { stream: true }));
      for (const message of messages.splice(0)) {
        const event = parseEvent(message.data);
        if (event === undefined) continue;
        yield event;
        if (event.type === 'done' || event.type === 'error') return;
      }
      if (broken) throw new SpoqError('answer_incomplete', { detail: `${host} sent something that is not an answer.` });
    }
  } catch (error) {
    if (!(error instanceof ConnectionFailure)) throw error;
    throw new SpoqError('answer_incomplete', {
      detail: `${host} ${error.reason} before the answer was complete.`,
      cause: error,
    });
  }
  throw new SpoqError('answer_incomplete', { detail: `${host} ended the stream before the answer was complete.` });
}

function parseEvent(data: string): ConversationEvent | undefined {
  const value = parseJson(data);
  if (value === undefined)
    throw new SpoqError('answer_incomplete', { detail: 'The box sent an event that cannot be read.' });
  return ConversationEvent.safeParse(value).data;
}
