import { createParser } from 'eventsource-parser';

/** An event of a stream, as it was sent. */
export interface SentEvent {
  id: string | undefined;
  event: string | undefined;
  data: string;
}

/** The whole events of a `text/event-stream` that was read so far; what is still incomplete at its end is left out. */
export function parseEvents(text: string): SentEvent[] {
  const events: SentEvent[] = [];
  createParser({ onEvent: ({ id, event, data }) => events.push({ id, event, data }) }).feed(text);
  return events;
}
