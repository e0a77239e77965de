import { createParser } from 'eventsource-parser';
import http from 'node:http';
import { readFileSync } from 'node:fs';
import { Credentials } from '../contract/files.ts';
import { isLocalhostName } from '../contract/loopback.ts';

export interface FirstTokens {
  /** The model asked directly, as the conductor asks it. */
  direct: number[];
  /** Through the front door and the conductor, as spoq asks. */
  box: number[];
}

interface Call {
  url: URL;
  headers: Record<string, string>;
  body: unknown;
  /** Whether an event is the first piece of text. */
  isText(event: { event?: string; data: string }): boolean;
}

const QUESTION = 'Say one short sentence.';

/** Milliseconds to the first piece of text, in turn, by the signed-in device whose credentials are in `credentialsFile`. */
export async function measureFirstTokens(
  options: { credentialsFile: string; modelUrl: string; modelKey: string; model: string },
  rounds: number,
): Promise<FirstTokens> {
  const credentials = Credentials.parse(JSON.parse(readFileSync(options.credentialsFile, 'utf8')));
  const direct: Call = {
    url: new URL(`${options.modelUrl}/messages`),
    headers: { 'x-api-key': options.modelKey, 'anthropic-version': '2023-06-01' },
    body: { model: options.model, max_tokens: 200, stream: true, messages: [{ role: 'user', content: QUESTION }] },
    isText: ({ event }) => event === 'content_block_delta',
  };
  const box: Call = {
    url: new URL(`${credentials.vps_hostname}/api/ask`),
    headers: { authorization: `Bearer ${credentials.access_token}` },
    body: { question: QUESTION, files: [] },
    isText: ({ event }) => event === 'text',
  };
  const times: FirstTokens = { direct: [], box: [] };
  for (let round = -2; round < rounds; round++) {
    const [one, other] = [await timeToText(direct), await timeToText(box)];
    if (round < 0) continue;
    times.direct.push(one);
    times.box.push(other);
  }
  return times;
}

/** Asks on a fresh connection and hangs up after the first piece of text. */
function timeToText({ url, headers, body, isText }: Call): Promise<number> {
  return new Promise((resolve, reject) => {
    const began = performance.now();
    const text = JSON.stringify(body);
    const host = isLocalhostName(url.hostname) ? '127.0.0.1' : url.hostname;
    const request = http.request({
      host,
      port: url.port,
      path: url.pathname,
      method: 'POST',
      agent: false,
      headers: {
        ...headers,
        host: url.host,
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(text),
        accept: 'text/event-stream',
      },
    });
    let heard = '';
    const parser = createParser({
      onEvent(event) {
        if (!isText(event)) return;
        resolve(performance.now() - began);
        request.destroy();
      },
    });
    request.once('response', (response) => {
      response.setEncoding('utf8').on('data', (chunk: string) => {
        heard = (heard + chunk).slice(0, 2000);
        parser.feed(chunk);
      });
      response.once('close', () =>
        reject(new Error(`${url.href} answered ${response.statusCode} and no text: ${heard}`)),
      );
    });
    request.once('error', reject);
    request.end(text);
  });
}
