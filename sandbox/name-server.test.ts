import { createSocket } from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import { connect } from 'node:net';
import { expect } from 'chai';
import { decode, type Packet, streamEncode } from 'dns-packet';
import { createNameServer, type NameServer } from './name-server.ts';

const RECORDS: Record<string, string[]> = {
  'alice.spoq.localhost': ['198.18.0.10'],
  'api.example': ['198.18.0.1'],
};

describe('the name server', () => {
  let server: NameServer;
  const resolver = new Resolver({ timeout: 2_000, tries: 1 });
  before(async () => {
    const resolve = (name: string): string[] => RECORDS[name] ?? [];
    server = await createNameServer(
      { zones: ['spoq.localhost', 'api.example'], resolve },
      { host: '127.0.0.1', port: 0 },
    );
    resolver.setServers([`127.0.0.1:${server.port}`]);
  });
  after(() => server.close());

  const codeOf = (lookup: Promise<unknown>): Promise<string> =>
    lookup.then(
      (value) => `answered ${JSON.stringify(value)}`,
      (error: { code: string }) => error.code,
    );

  it('answers with the records of its zones, however the name is written, for a second', async () => {
    expect(await resolver.resolve4('Alice.Spoq.localhost', { ttl: true })).to.deep.equal([
      { address: '198.18.0.10', ttl: 1 },
    ]);
    expect(await resolver.resolve4('api.example')).to.deep.equal(['198.18.0.1']);
  });

  it('says that it is the name server of its zones, and where it is', async () => {
    expect(await resolver.resolveNs('spoq.localhost')).to.deep.equal(['ns.spoq.localhost']);
    expect(await resolver.resolve4('ns.spoq.localhost')).to.deep.equal(['127.0.0.1']);
    expect(await codeOf(resolver.resolveNs('alice.spoq.localhost'))).to.equal('ENODATA');
  });

  it('tells a name that is not there from one without such records, and refuses others at once', async () => {
    expect(await codeOf(resolver.resolve4('bob.spoq.localhost'))).to.equal('ENOTFOUND');
    expect(await codeOf(resolver.resolve6('alice.spoq.localhost'))).to.equal('ENODATA');
    expect(await codeOf(resolver.resolve4('spoq.localhost'))).to.equal('ENODATA');
    expect(await codeOf(resolver.resolve4('elsewhere.test'))).to.equal('EREFUSED');
    expect(await codeOf(resolver.resolve4('myspoq.localhost'))).to.equal('EREFUSED');
  });

  it('answers on TCP too, two questions in pieces', async () => {
    const ask = (id: number, name: string): Buffer =>
      streamEncode({ type: 'query', id, questions: [{ type: 'A', name }] });
    const bytes = Buffer.concat([ask(1, 'alice.spoq.localhost'), ask(2, 'bob.spoq.localhost')]);
    const { promise, resolve, reject } = Promise.withResolvers<Packet[]>();
    const socket = connect(server.port, '127.0.0.1', () => {
      socket.write(bytes.subarray(0, 20));
      setImmediate(() => socket.write(bytes.subarray(20)));
    });
    let seen = Buffer.alloc(0);
    socket.on('error', reject).on('data', (chunk) => {
      seen = Buffer.concat([seen, chunk]);
      const length = seen.length < 2 ? Infinity : 2 + seen.readUInt16BE(0);
      if (seen.length <= length + 2 || seen.length < length + 2 + seen.readUInt16BE(length)) return;
      resolve([decode(seen.subarray(2, length)), decode(seen.subarray(length + 2))]);
    });
    const replies = await promise;
    socket.destroy();
    expect(replies.map(({ id, answers }) => [id, (answers ?? []).length])).to.deep.equal([
      [1, 1],
      [2, 0],
    ]);
  });

  it('takes no harm from what is not a question', async () => {
    const socket = createSocket('udp4');
    for (const bytes of [Buffer.alloc(0), Buffer.from('hello'), Buffer.alloc(12), Buffer.alloc(600, 255)])
      await new Promise<void>((resolve) => socket.send(bytes, server.port, '127.0.0.1', () => resolve()));
    socket.close();
    expect(await resolver.resolve4('alice.spoq.localhost')).to.deep.equal(['198.18.0.10']);
  });
});
