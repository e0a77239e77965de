import { expect } from 'chai';
import type { Socket } from 'node:net';
import { setImmediate as nextTurn, setTimeout as wait } from 'node:timers/promises';

/** Headers of a POST; `{head}` in an attack is where they go. */
const HEAD = '{head}';

/** What two programs may read in two ways, or none at all: name, bytes, status, code. */
const ATTACKS = [
  [
    'a length and chunks',
    `POST / HTTP/1.1\r\n${HEAD}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    400,
  ],
  [
    'chunks and a length',
    `POST / HTTP/1.1\r\n${HEAD}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n`,
    400,
  ],
  ['two lengths', `POST / HTTP/1.1\r\n${HEAD}Content-Length: 3\r\nContent-Length: 60\r\n\r\na=1`, 400],
  ['two equal lengths', `POST / HTTP/1.1\r\n${HEAD}Content-Length: 3\r\nContent-Length: 3\r\n\r\na=1`, 400],
  ['a list of lengths', `POST / HTTP/1.1\r\n${HEAD}Content-Length: 3, 3\r\n\r\na=1`, 400],
  ['a length with a sign', `POST / HTTP/1.1\r\n${HEAD}Content-Length: +3\r\n\r\na=1`, 400],
  ['another coding than chunked', `POST / HTTP/1.1\r\n${HEAD}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n`, 400],
  ['chunked twice over', `POST / HTTP/1.1\r\n${HEAD}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`, 400],
  [
    'a chunk that is no number',
    `POST / HTTP/1.1\r\n${HEAD}Transfer-Encoding: chunked\r\n\r\n0x3\r\na=1\r\n0\r\n\r\n`,
    400,
  ],
  ['two Hosts', 'GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.test\r\n\r\n', 400],
  ['no Host', 'GET / HTTP/1.1\r\n\r\n', 400],
  ['bare line feeds', 'GET / HTTP/1.1\nHost: localhost\n\n', 400],
  ['a bare line feed in a header', 'GET / HTTP/1.1\r\nHost: localhost\nX-Forwarded-For: 1.2.3.4\r\n\r\n', 400],
  ['a bare carriage return', 'GET / HTTP/1.1\r\nHost: localhost\rX-Forwarded-For: 1.2.3.4\r\n\r\n', 400],
  ['a space before a colon', 'GET / HTTP/1.1\r\nHost : localhost\r\n\r\n', 400],
  ['NUL in a header', 'GET / HTTP/1.1\r\nHost: localhost\r\nX: a\0b\r\n\r\n', 400],
  [
    'a header of 20 kB',
    `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
    431,
    'headers_too_large',
  ],
  ['101 headers', `GET / HTTP/1.1\r\nHost: localhost\r\n${'a:\r\n'.repeat(100)}\r\n`, 431, 'headers_too_large'],
  [
    '3,000 headers',
    `GET / HTTP/1.1\r\nHost: localhost\r\n${'a:\r\n'.repeat(3_000)}X: y\r\n\r\n`,
    431,
    'headers_too_large',
  ],
  ['no HTTP at all', '\x16\x03\x01\x02\0\x01\0\x01\xfc', 400],
] as const;

export interface FramingAttack {
  name: string;
  status: number;
  code: string;
  /** Its bytes: to `get` or to `post`, with what the latter needs besides Host, as lines that end in CRLF. */
  write(to: { get: string; post: string; headers: string }): string;
}

/** RFC 9112 §11.2: requests that a proxy and a server may take for different ones. */
export const FRAMING_ATTACKS: FramingAttack[] = ATTACKS.map(([name, bytes, status, code]) => ({
  name,
  status,
  code: code ?? 'invalid_request',
  write: ({ get, post, headers }) =>
    bytes
      .replace(HEAD, `Host: localhost\r\n${headers}`)
      .replace('GET / ', `GET ${get} `)
      .replace('POST / ', `POST ${post} `),
}));

/** Writes `parts` with a pause between them, until there is an answer, and answers all that comes until the server hangs up. */
export async function exchange(socket: Socket, parts: string[], pauseMs = 0): Promise<{ answer: string; ms: number }> {
  let answer = '';
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.on('data', (data) => (answer += String(data)));
  const began = performance.now();
  for (const part of parts) {
    await nextTurn(); // what has come by now is read before it is lost to a write that fails
    if (socket.destroyed || answer !== '') break;
    socket.write(part, 'latin1');
    if (pauseMs > 0) await wait(pauseMs);
  }
  await closed;
  return { answer, ms: performance.now() - began };
}

/** RFC 9457, whole, and not a word of how it came about. */
export function expectProblem(answer: string, status: number, code: string): void {
  const [head = '', body = ''] = answer.split('\r\n\r\n');
  expect(head)
    .to.match(new RegExp(`^HTTP/1\\.1 ${status} `))
    .and.match(/^content-type: application\/problem\+json\r?$/im);
  const problem = JSON.parse(body) as { status: number; code: string };
  expect([problem.status, problem.code]).to.deep.equal([status, code]);
  expect(Object.keys(problem)).to.include.members(['type', 'title', 'next_step']);
  expect(body).to.not.match(/node_modules|\.ts\b|HPE_|Error:/);
}
