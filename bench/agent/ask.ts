import http from 'node:http';
import https from 'node:https';
import { createParser } from 'eventsource-parser';

/** A way to ask: where, with what, and how one recognises a word of the answer. */
export interface Way {
  url: URL;
  ca?: Buffer;
  headers: Record<string, string>;
  body(question: string): unknown;
  /** The text that an event brings, if it brings one. */
  readText(event: { event?: string | undefined; data: string }): string | undefined;
}

export interface Asked {
  /** Milliseconds from the request to the first word, on a connection of its own. */
  firstMs: number;
  /** From the first word to the last. */
  restMs: number;
  words: number;
  /** Of each word, from when the model said it to when it was here. */
  delaysMs: number[];
}

/** Asks once and reads to the end. Throws when the answer is not whole. */
export function ask(way: Way, question: string): Promise<Asked> {
  return new Promise((resolve, reject) => {
    const began = performance.now();
    const text = JSON.stringify(way.body(question));
    const { request } = way.url.protocol === 'https:' ? https : http;
    const delaysMs: number[] = [];
    let [first, last] = [0, 0];
    const sent = request({
      host: '127.0.0.1',
      servername: way.url.hostname,
      port: way.url.port,
      path: way.url.pathname,
      method: 'POST',
      agent: false,
      ...(way.ca === undefined ? {} : { ca: way.ca }),
      headers: {
        ...way.headers,
        host: way.url.host,
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(text),
      },
    });
    const parser = createParser({
      onEvent(event) {
        const words = way.readText(event);
        if (words === undefined) return;
        last = performance.now();
        if (first === 0) first = last;
        const at = performance.timeOrigin + last;
        for (const [, said] of words.matchAll(/@([\d.]+) /g)) delaysMs.push(at - Number(said));
      },
    });
    sent.on('error', reject);
    sent.on('response', (response) => {
      if (response.statusCode !== 200) reject(new Error(`${way.url.href} answered ${response.statusCode ?? 0}`));
      response.setEncoding('utf8').on('data', (chunk: string) => parser.feed(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({ firstMs: first - began, restMs: last - first, words: delaysMs.length, delaysMs }),
      );
    });
    sent.end(text);
  });
}

/** The model itself, as the conductor asks it. */
export function askModel(modelUrl: string): Way {
  return {
    url: new URL(`${modelUrl}/v1/messages`),
    headers: { 'x-api-key': 'bench', 'anthropic-version': '2023-06-01' },
    body: (question) => ({
      model: 'claude-sonnet-5-5',
      max_tokens: 8192,
      stream: true,
      messages: [{ role: 'user', content: question }],
    }),
    readText: ({ event, data }) =>
      event === 'content_block_delta' ? (JSON.parse(data) as { delta: { text: string } }).delta.text : undefined,
  };
}

/** The box, as `spoq ask` asks it. */
export function askBox(url: string, token?: string, ca?: Buffer): Way {
  return {
    url: new URL(`${url}/api/ask`),
    ...(ca === undefined ? {} : { ca }),
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
    body: (question) => ({ question }),
    readText: ({ event, data }) => (event === 'text' ? (JSON.parse(data) as { text: string }).text : undefined),
  };
}
