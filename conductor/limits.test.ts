import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { ASK_LIMITS } from '../contract/conductor.ts';
import { send } from './testing/client.ts';
import type { Send } from './testing/client.ts';
import { startControlPlane } from './testing/control-plane.ts';
import type { TestControlPlane } from './testing/control-plane.ts';
import { startModelServer } from './testing/model-server.ts';
import type { TestModelServer } from './testing/model-server.ts';
import { startConductor } from './testing/start-conductor.ts';
import type { TestConductor } from './testing/start-conductor.ts';

const ASK = { method: 'POST', path: '/api/ask' };
const JSON_TYPE = { 'content-type': 'application/json' };

interface Refusal {
  name: string;
  send: Send;
  status: number;
  code: string;
  /** The fields named, for invalid ones. */
  fields?: string[];
  headers?: Record<string, string>;
}

function manyFiles(count: number): object {
  return { question: 'Why?', files: Array.from({ length: count }, (_, index) => ({ path: `f${index}`, content: '' })) };
}

const REFUSALS: Refusal[] = [
  { name: 'no body', send: { ...ASK, headers: JSON_TYPE }, status: 400, code: 'invalid_request' },
  { name: 'an empty body', send: { ...ASK, body: '' }, status: 400, code: 'invalid_request' },
  {
    name: 'text',
    send: { ...ASK, body: 'x', headers: { 'content-type': 'text/plain' } },
    status: 415,
    code: 'unsupported_media_type',
  },
  {
    name: 'a form',
    send: { ...ASK, body: 'question=x', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
    status: 415,
    code: 'unsupported_media_type',
  },
  {
    name: 'a compressed body',
    send: { ...ASK, body: '{}', headers: { 'content-encoding': 'gzip' } },
    status: 415,
    code: 'unsupported_media_type',
  },
  { name: 'half of JSON', send: { ...ASK, body: '{"question":' }, status: 400, code: 'invalid_request' },
  {
    name: 'invalid UTF-8',
    send: { ...ASK, body: Buffer.from([0x22, 0xff, 0x22]) },
    status: 400,
    code: 'invalid_request',
  },
  { name: 'a list', send: { ...ASK, body: [] }, status: 400, code: 'invalid_request', fields: ['body'] },
  { name: 'null', send: { ...ASK, body: 'null' }, status: 400, code: 'invalid_request', fields: ['body'] },
  {
    name: 'a deep list',
    send: { ...ASK, body: '['.repeat(10_000) + ']'.repeat(10_000) },
    status: 400,
    code: 'invalid_request',
    fields: ['body'],
  },
  {
    name: 'a prototype',
    send: { ...ASK, body: '{"__proto__":{"question":"x"}}' },
    status: 400,
    code: 'invalid_request',
    fields: ['question'],
  },
  {
    name: 'only spaces asked',
    send: { ...ASK, body: { question: '  ' } },
    status: 400,
    code: 'invalid_request',
    fields: ['question'],
  },
  {
    name: 'a question too long',
    send: { ...ASK, body: { question: 'x'.repeat(ASK_LIMITS.question_chars + 1) } },
    status: 400,
    code: 'invalid_request',
    fields: ['question'],
  },
  {
    name: 'too many files',
    send: { ...ASK, body: manyFiles(ASK_LIMITS.files + 1) },
    status: 400,
    code: 'invalid_request',
    fields: ['files'],
  },
  {
    name: 'all wrong',
    send: { ...ASK, body: { question: 1, files: [{ path: '', content: 2 }], stdin: 3 } },
    status: 400,
    code: 'invalid_request',
    fields: ['question', 'files.0.path', 'files.0.content', 'stdin'],
  },
  {
    name: 'a byte too many',
    send: { ...ASK, body: JSON.stringify({ question: 'x' }).padEnd(ASK_LIMITS.body_bytes + 1) },
    status: 413,
    code: 'body_too_large',
  },
  {
    name: 'a byte too many without a length',
    send: {
      ...ASK,
      body: JSON.stringify({ question: 'x' }).padEnd(ASK_LIMITS.body_bytes + 1),
      headers: { 'transfer-encoding': 'chunked' },
    },
    status: 413,
    code: 'body_too_large',
  },
  { name: 'an unknown address', send: { path: '/api/nothing' }, status: 404, code: 'not_found' },
  { name: 'a path out of the root', send: { path: '/../health' }, status: 404, code: 'not_found' },
  {
    name: 'GET of what is posted',
    send: { path: '/api/ask' },
    status: 405,
    code: 'method_not_allowed',
    headers: { allow: 'POST' },
  },
  {
    name: 'DELETE of what is read',
    send: { method: 'DELETE', path: '/api/status' },
    status: 405,
    code: 'method_not_allowed',
    headers: { allow: 'HEAD, GET' },
  },
  {
    name: 'OPTIONS',
    send: { method: 'OPTIONS', path: '/health' },
    status: 405,
    code: 'method_not_allowed',
    headers: { allow: 'HEAD, GET' },
  },
];

describe('limits of a request', () => {
  let plane: TestControlPlane;
  let model: TestModelServer;
  let conductor: TestConductor;

  before(async () => {
    plane = await startControlPlane();
    model = await startModelServer();
    conductor = await startConductor({ plane, model: { baseUrl: model.url } });
  });
  after(async () => {
    await conductor.close();
    await Promise.all([plane.close(), model.close()]);
  });

  for (const refusal of REFUSALS) {
    it(`${refusal.name}: ${refusal.status}`, async () => {
      const answer = await send(conductor.local, refusal.send);
      const problem = answer.json as { status: number; code: string; instance: string; errors?: { field: string }[] };
      expect(answer.headers['content-type']).to.equal('application/problem+json');
      expect({
        status: [answer.status, problem.status],
        code: problem.code,
        instance: problem.instance,
        fields: problem.errors?.map(({ field }) => field),
      }).to.deep.equal({
        status: [refusal.status, refusal.status],
        code: refusal.code,
        instance: answer.headers['x-request-id'],
        fields: refusal.fields,
      });
      expect(answer.headers).to.deep.include(refusal.headers ?? {});
      expect(model.calls).to.deep.equal([]);
    });
  }

  it('takes exactly the most that is allowed', async () => {
    const fits = JSON.stringify(manyFiles(ASK_LIMITS.files)).padEnd(ASK_LIMITS.body_bytes);
    expect((await send(conductor.local, { ...ASK, body: fits })).status).to.equal(200);
    model.calls.length = 0;
  });

  it('gives requests an id of its own when the given one is odd', async () => {
    for (const id of ['short', 'x'.repeat(65), 'line"break']) {
      const { headers } = await send(conductor.local, { path: '/health', headers: { 'x-request-id': id } });
      expect(headers['x-request-id']).to.match(/^[0-9a-f-]{36}$/);
    }
  });

  const RAW: { name: string; bytes: string; answer: RegExp }[] = [
    { name: 'no Host', bytes: 'GET /health HTTP/1.0\r\n', answer: /^HTTP\/1\.1 403 / },
    {
      name: 'a foreign absolute address',
      bytes: 'GET http://evil/api/none HTTP/1.1\r\nHost: localhost\r\n',
      answer: /^HTTP\/1\.1 404 /,
    },
  ];
  for (const { name, bytes, answer } of RAW) {
    it(`${name} on the wire: ${answer.source.slice(-4, -1)}`, async () => {
      const socket = connect({ host: '127.0.0.1', port: conductor.local.port });
      socket.write(`${bytes}Connection: close\r\n\r\n`);
      expect(await text(socket)).to.match(answer);
    });
  }
});
