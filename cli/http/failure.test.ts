import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { describeConnectionError, isCut, isRefusal } from './failure.ts';

const BIN = join(import.meta.dirname, '..', '..', 'node_modules', '.bin');

/** Cuts connections at several moments, and prints what is made of it: true for a line that was cut, and in which words. */
const PROGRAM = `
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createHttpClient } from './client.ts';
import { isCut } from './failure.ts';
const http = createHttpClient('0', { connectMs: 10_000, idleMs: 10_000, slowestUpload: 1000 });
const moments = {
  accepted: (socket) => socket.destroy(),
  reset: (socket) => socket.resetAndDestroy(),
  heard: (socket) => socket.once('data', () => socket.destroy()),
};
const told = {};
for (const scheme of ['http', 'https'])
  for (const [moment, cut] of Object.entries(moments)) {
    const server = createServer((socket) => cut(socket.on('error', () => undefined))).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = new URL(scheme + '://localhost:' + server.address().port);
    const error = await http({ method: 'GET', url, signal: new AbortController().signal }).catch((thrown) => thrown);
    told[scheme + ' ' + moment] = [isCut(error), error.reason];
    server.close();
  }
console.log(JSON.stringify(told));
process.exit(0);
`;

describe('what a network says', () => {
  for (const [program, flags] of [
    ['bun', ['-e']],
    ['node', ['--input-type=module-typescript', '-e']],
  ] as const)
    it(`is that a line was cut, in clear and with TLS, under ${program}`, async () => {
      const { stdout } = await promisify(execFile)(join(BIN, program), [...flags, PROGRAM], {
        cwd: import.meta.dirname,
      });
      const told = JSON.parse(stdout) as Record<string, unknown>;
      const names = ['http', 'https'].flatMap((scheme) =>
        ['accepted', 'reset', 'heard'].map((one) => `${scheme} ${one}`),
      );
      expect(told).to.deep.equal(Object.fromEntries(names.map((name) => [name, [true, 'closed the connection']])));
    });

  it('is something else where nobody listens, the name is not known or the certificate is wrong', () => {
    const failure = (code: string) =>
      describeConnectionError('alice.spoq.dev', Object.assign(new Error(code), { code }));
    expect([isRefusal(failure('ECONNREFUSED')), isCut(failure('ECONNREFUSED'))]).to.deep.equal([true, false]);
    expect(failure('ENOTFOUND').reason).to.equal('has no address: the name is not known');
    expect(failure('CERT_HAS_EXPIRED').reason).to.include('a certificate that is not valid (CERT_HAS_EXPIRED)');
    expect(isCut(failure('CERT_HAS_EXPIRED'))).to.equal(false);
    expect(failure('').reason).to.equal('could not be reached (no reason given)');
    expect(isCut(new Error('ECONNRESET'))).to.equal(false);
  });
});
