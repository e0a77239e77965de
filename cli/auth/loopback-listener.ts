import type { IncomingMessage, ServerResponse } from 'node:http';

export interface LoopbackListener extends AsyncDisposable {
  /** Where the browser brings the answer. */
  redirectUri: string;
  /** What it brought, with the right `state`. */
  answer: Promise<URLSearchParams>;
}

const PAGE = (words: string): string =>
  `<!doctype html><html lang="en"><meta charset="utf-8"><title>Spoq</title><p>${words}</p></html>\n`;
const RECEIVED = PAGE('Go back to your terminal: it says how it went. You can close this page.');
const STRANGE = PAGE('This is not the answer that spoq waits for.');

/**
 * Listens on a free port of 127.0.0.1 for the answer to a sign-in (RFC 8252 §7.3). Whatever lacks the `state` of this very
 * sign-in is turned away, and it goes on listening.
 */
export async function listenForAnswer(state: string): Promise<LoopbackListener> {
  const { createServer } = await import('node:http');
  const { promise, resolve } = Promise.withResolvers<URLSearchParams>();
  const server = createServer((request, response) => {
    const parameters = readAnswer(request, state);
    answerBrowser(response, parameters === undefined ? 404 : 200);
    if (parameters !== undefined) response.once('finish', () => resolve(parameters));
  });
  await new Promise<void>((listening, failed) => {
    server.once('error', failed);
    server.listen(0, '127.0.0.1', listening);
  });
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('the listener has no address');
  return {
    redirectUri: `http://127.0.0.1:${address.port}/callback`,
    answer: promise,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((done) => server.close(done));
      server.closeAllConnections();
      await closed;
    },
  };
}

function readAnswer(request: IncomingMessage, state: string): URLSearchParams | undefined {
  const url = URL.parse(request.url ?? '', 'http://127.0.0.1');
  if (request.method !== 'GET' || url?.pathname !== '/callback') return undefined;
  return url.searchParams.get('state') === state ? url.searchParams : undefined;
}

function answerBrowser(response: ServerResponse, status: 200 | 404): void {
  response.writeHead(status, {
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'content-security-policy': "default-src 'none'",
    'referrer-policy': 'no-referrer',
    connection: 'close',
  });
  response.end(status === 200 ? RECEIVED : STRANGE);
}
