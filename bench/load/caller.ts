import { Pool } from 'undici';

export interface Call {
  method?: 'GET' | 'POST';
  path: string;
  headers?: Record<string, string>;
  body?: string;
  /** The status that it has to have; any other is an error. */
  expects: number;
}

export interface Answer {
  /** Of the header, the first where there are several; empty without one. */
  header(name: string): string;
  /** All cookies that it sets, as `name=value`. */
  cookies: string[];
  text: string;
}

/** Keep-alive connections to one server. */
export interface Caller {
  /** Sends it, and adds the milliseconds until the whole answer was there to `times`. @throws Error for any other status */
  call(call: Call, times?: number[]): Promise<Answer>;
  close(): Promise<void>;
}

export function createCaller(origin: string, connections: number): Caller {
  const pool = new Pool(origin, { connections, pipelining: 1 });
  return {
    async call({ method = 'GET', path, headers = {}, body, expects }, times) {
      const began = performance.now();
      const answer = await pool.request({ method, path, headers, ...(body === undefined ? {} : { body }) });
      const text = await answer.body.text();
      times?.push(performance.now() - began);
      if (answer.statusCode !== expects)
        throw new Error(
          `${method} ${path.replace(/\?.*/, '')} answered ${answer.statusCode} and not ${expects}: ${text.replaceAll(/\s+/g, ' ').slice(0, 150)}`,
        );
      const cookies = [answer.headers['set-cookie'] ?? []].flat().map((line) => line.split(';')[0] ?? '');
      return { cookies, header: (name) => [answer.headers[name] ?? ''].flat()[0] ?? '', text };
    },
    close: () => pool.close(),
  };
}
