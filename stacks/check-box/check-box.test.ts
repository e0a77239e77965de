import { expect } from 'chai';
import { createServer, type RequestListener } from 'node:http';
import { closeServer, listenOnFreePort } from '../../test/harness/listen.ts';
import { checkBox } from './check-box.ts';

const HEALTHY = { status: 'ok', version: '0.1.0' };

describe('checkBox', () => {
  let answer: RequestListener;
  const hosts: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    hosts.push(request.headers.host);
    answer(request, response);
  });
  let port = 0;
  before(async () => {
    ({ port } = await listenOnFreePort(server));
  });
  after(() => closeServer(server));

  const check = async (hostname: string, address: string, deadlineMs = 5_000): Promise<string[]> => {
    const said: string[] = [];
    await checkBox({
      url: `http://${hostname}:${port}`,
      address,
      pollMs: 5,
      deadlineMs,
      say: (line) => said.push(line),
    });
    return said;
  };

  it('waits through whatever a box answers while it starts, telling each reason once', async () => {
    const answers: RequestListener[] = [
      (request) => void request.socket.destroy(),
      (_request, response) => void response.writeHead(502).end(),
      (_request, response) => void response.writeHead(502).end(),
      (_request, response) => void response.end('<html>'),
    ];
    answer = (request, response) =>
      (answers.shift() ?? ((_, last) => void last.end(JSON.stringify(HEALTHY))))(request, response);
    expect(await check('alice.spoq.localhost', '192.0.2.1')).to.deep.equal([
      'Waiting for the box: it closed the connection',
      'Waiting for the box: it answers 502',
      'Waiting for the box: something else than a conductor answers',
      'The box answers',
    ]);
  });

  it('dials the address and not what a name server says, and keeps the name in the request', async () => {
    answer = (_request, response) => void response.end(JSON.stringify(HEALTHY));
    hosts.length = 0;
    expect(await check('alice.example.invalid', '127.0.0.1')).to.deep.equal(['The box answers']);
    expect(hosts).to.deep.equal([`alice.example.invalid:${port}`]);
  });

  it('gives up after the deadline with the last reason', async () => {
    answer = (_request, response) => void response.writeHead(503).end();
    const error = await check('alice.spoq.localhost', '192.0.2.1', 30).catch((reason: Error) => reason.message);
    expect(error).to.equal('The box did not answer within 0 s: it answers 503.');
  });
});
