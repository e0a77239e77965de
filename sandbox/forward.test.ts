import { createServer } from 'node:http';
import { expect } from 'chai';
import { closeServer, listenOnFreePort } from '../test/harness/listen.ts';
import { forwardPort } from './forward.ts';

describe('forwardPort', () => {
  it('leads the same port of another address here, path kept, until it is closed', async () => {
    const server = createServer((request, response) => void response.end(request.url));
    const { port } = await listenOnFreePort(server);
    const forward = await forwardPort('127.0.0.2', `http://127.0.0.1:${port}/v1`);
    expect(forward.url).to.equal(`http://127.0.0.2:${port}/v1`);
    expect(await (await fetch(`${forward.url}/models`)).text()).to.equal('/v1/models');
    await forward.close();
    await closeServer(server);
    const after = await fetch(forward.url).catch((error: Error) => error.message);
    expect(after).to.equal('fetch failed');
  });
});
