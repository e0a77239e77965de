import type { IncomingMessage } from 'node:http';
import type Koa from 'koa';

/** The two ways in: from this machine without a token, and from outside with one. */
export type ListenerName = 'local' | 'remote';

export interface RequestState {
  requestId: string;
  /** What the log line of the request says besides the usual. Numbers and codes, never content. */
  notes: Record<string, string | number>;
}

export type Context = Koa.ParameterizedContext<RequestState>;
export type Middleware = Koa.Middleware<RequestState>;

/** Every value of a header, as sent. Node joins or drops repeated ones, and a guard must not be fooled by that. */
export function readHeaderValues(req: IncomingMessage, name: string): string[] {
  const values: string[] = [];
  for (let index = 0; index + 1 < req.rawHeaders.length; index += 2) {
    const value = req.rawHeaders[index + 1];
    if (req.rawHeaders[index]?.toLowerCase() === name && value !== undefined) values.push(value);
  }
  return values;
}
