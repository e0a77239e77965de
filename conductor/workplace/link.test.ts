import { expect } from 'chai';
import * as fc from 'fast-check';
import { duplexPair } from 'node:stream';
import type { Duplex } from 'node:stream';
import { waitUntil } from '../testing/wait-until.ts';
import { WINDOW } from './channel.ts';
import type { Channel } from './channel.ts';
import { createFrameReader, encodeFrame, KINDS, MAX_PAYLOAD } from './frames.ts';
import type { Frame } from './frames.ts';
import { createLink } from './link.ts';
import type { Link } from './link.ts';
import { createRemoteWorkplace } from './remote-workplace.ts';
import { WorkError } from './workplace.ts';
import type { Workplace } from './workplace.ts';

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const data = (bytes: number): Buffer => Buffer.concat([Buffer.of(1), Buffer.alloc(bytes)]);
const number = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

describe('frames', () => {
  it('come out as they went in, however the line cuts them', () => {
    const frame = fc.record({
      kind: fc.constantFrom(...(Object.keys(KINDS) as Frame['kind'][])),
      channel: fc.nat(2 ** 32 - 1),
      payload: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    });
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 8 }), fc.array(fc.integer({ min: 1, max: 50 })), (frames, cuts) => {
        let bytes = Buffer.concat(frames.map(({ kind, channel, payload }) => encodeFrame(kind, channel, payload)));
        const read = createFrameReader();
        const seen: Frame[] = [];
        for (const cut of cuts) {
          seen.push(...read(bytes.subarray(0, cut)));
          bytes = bytes.subarray(cut);
        }
        seen.push(...read(bytes));
        expect(seen).to.deep.equal(frames);
      }),
    );
  });

  it('have a length and a kind that are known', () => {
    expect(() => createFrameReader()(number(MAX_PAYLOAD + 6))).to.throw('a frame of 262150 bytes');
    expect(() => createFrameReader()(number(4))).to.throw('a frame of 4 bytes');
    expect(() => createFrameReader()(Buffer.from([0, 0, 0, 5, 99, 0, 0, 0, 0]))).to.throw('a frame of kind 99');
    expect(() => encodeFrame('open', 1, Buffer.alloc(MAX_PAYLOAD + 1))).to.throw(RangeError);
  });
});

describe('the line to a place of work, when the other side is hostile', () => {
  let place: Workplace;
  let hostile: Duplex;
  let heard: Frame[];
  let reasons: string[];

  beforeEach(() => {
    const [ours, theirs] = duplexPair();
    hostile = theirs;
    heard = [];
    reasons = [];
    const read = createFrameReader();
    hostile.on('data', (chunk: Buffer) => heard.push(...read(chunk)));
    hostile.on('error', () => undefined);
    place = createRemoteWorkplace({
      input: ours,
      output: ours,
      dial: () => Promise.reject(new Error('nothing is dialled here')),
      end: () => Promise.resolve(undefined),
    });
    void place.closed.then(({ detail }) => reasons.push(detail));
  });
  afterEach(() => place.close());

  const attacks: Record<string, Buffer[]> = {
    'a frame of a gigabyte': [number(2 ** 30)],
    'a frame of no kind': [Buffer.from([0, 0, 0, 5, 0, 0, 0, 0, 0])],
    'a channel that was never opened': [encodeFrame('data', 9, data(1))],
    'a channel of ours, opened by it': [encodeFrame('open', 1, json({ op: 'connect', host: 'x', port: 1 }))],
    'a channel that is opened twice': [2, 2].map((id) =>
      encodeFrame('open', id, json({ op: 'connect', host: 'x', port: 1 })),
    ),
    'a request that is none': [encodeFrame('open', 2, json({ op: 'exec', argv: ['id'] }))],
    'a host that is no host': [encodeFrame('open', 2, json({ op: 'connect', host: 'a b\r\n', port: 1 }))],
    'a message that is not JSON': [encodeFrame('open', 2, Buffer.from('{'))],
    'a ping': [encodeFrame('ping', 0)],
    'more data than was allowed': Array.from({ length: 10 }, () => encodeFrame('data', 1, data(32 * 1024))),
    'many small pieces of data': Array.from({ length: 3000 }, () => encodeFrame('data', 1, data(1))),
    'data without data': [encodeFrame('data', 1, Buffer.of(1))],
    'data after its end': [encodeFrame('end', 1), encodeFrame('data', 1, data(1))],
    'more credit than there is': [encodeFrame('credit', 1, number(2 ** 31))],
    'a credit that is no number': [encodeFrame('credit', 1, Buffer.of(1))],
  };
  for (const [what, frames] of Object.entries(attacks))
    it(`${what}: it is cut`, async () => {
      const child = place.exec({ argv: ['x'] });
      for (const frame of frames) hostile.write(frame);
      await waitUntil('it to be cut', () => reasons.length > 0);
      expect(reasons[0]).to.match(/^The place of the run was lost: /);
      expect(await child.exit.catch((error: unknown) => error))
        .to.be.instanceOf(WorkError)
        .with.property('code', 'lost');
    });

  it('sends answers that make no sense: each is an error, and the line stays', async () => {
    const answers: [Promise<unknown>, unknown, unknown][] = [
      [place.readFile('a'), { text: 7 }, {}],
      [place.readFile('a'), 'x', {}],
      [place.listFiles({ limit: 1 }), { paths: ['x'.repeat(5000)], more: false }, {}],
      [place.search({ pattern: 'x', limit: 1 }), { hits: [{ path: 'a', line: -1, text: '' }], more: false }, {}],
      [place.changes(), [{ path: 'a', kind: 'x', mode: 0, bytes: 0 }], {}],
      [place.writeFile('a', 'b'), {}, {}],
      [place.readFile('a'), {}, { error: { code: 'evil', message: '' } }],
      [place.readFile('a'), {}, { error: { code: 'failed', message: 'x'.repeat(5000) } }],
      [place.exec({ argv: ['x'] }).exit, {}, { code: 'x', signal: null }],
    ];
    for (const [index, [work, body, result]] of answers.entries()) {
      const channel = 1 + 2 * index;
      hostile.write(encodeFrame('data', channel, Buffer.of(0), json(body)));
      hostile.write(encodeFrame('close', channel, json(result)));
      expect(await work.catch((error: unknown) => error))
        .to.be.instanceOf(WorkError)
        .with.property('code', 'lost');
    }
    expect(reasons).to.deep.equal([]);
  });

  it('sends more than a file may have: too large, and no more of it is taken', async () => {
    const reading = place.readBytes('a', 1000);
    hostile.write(encodeFrame('data', 1, data(2000)));
    expect(await reading.catch((error: unknown) => error)).to.have.property('code', 'too_large');
    await waitUntil('the channel to be closed', () =>
      heard.some(({ kind, channel }) => kind === 'close' && channel === 1),
    );
  });

  it('opens a hundred connections: those above the limit are told so', async () => {
    place.onConnect(() => new Promise(() => undefined));
    for (let id = 2; id <= 200; id += 2)
      hostile.write(encodeFrame('open', id, json({ op: 'connect', host: 'x.test', port: 80 })));
    await waitUntil('the answers', () => heard.filter(({ kind }) => kind === 'close').length === 36);
    expect(JSON.parse(String(heard.at(-1)?.payload))).to.deep.equal({ busy: true });
    expect(reasons).to.deep.equal([]);
  });

  it('floods it with frames: it is read no faster than it may be', async () => {
    place.exec({ argv: ['x'] });
    const began = performance.now();
    const message = encodeFrame('tell', 1, json({ progress: 'x' }));
    const flood = Buffer.concat(Array.from({ length: 500 }, () => message));
    for (let sent = 0; sent < 20; sent += 1)
      if (!hostile.write(flood)) await new Promise((resolve) => hostile.once('drain', resolve));
    hostile.write(encodeFrame('ping', 0)); // so that it ends
    await waitUntil('it to be read', () => reasons.length > 0);
    expect(performance.now() - began).to.be.above(300); // 10,000 frames, 2,000 in each tenth of a second
  });
});

describe('a line', () => {
  function connect(options: { silenceMs?: number } = {}): { near: Link; far: Link; accepted: Promise<Channel> } {
    const [ours, theirs] = duplexPair();
    const { promise: accepted, resolve } = Promise.withResolvers<Channel>();
    const near = createLink({
      input: ours,
      output: ours,
      side: 'conductor',
      maxAccepted: 1,
      accept: () => undefined,
      ...options,
    });
    const far = createLink({
      input: theirs,
      output: theirs,
      side: 'work',
      maxAccepted: 9,
      accept: (channel) => resolve(channel),
    });
    return { near, far, accepted };
  }

  it('lets a side send no more than a window before the other takes it, and everything in the end', async () => {
    const { near, far, accepted } = connect();
    const channel = near.open({});
    let sent = 0;
    const sending = (async () => {
      for (let piece = 0; piece < 100; piece += 1) {
        await channel.send(Buffer.alloc(10_000, piece));
        sent += 10_000;
      }
      channel.end();
    })();
    const other = await accepted;
    const other2 = near.open({});
    await other2.send(Buffer.from('beside')); // not held up by the first
    await waitUntil('the window to be full', () => sent > WINDOW - 30_000);
    expect(sent).to.be.below(WINDOW);
    let taken = 0;
    for await (const piece of other.data) taken += piece.data.length;
    await sending;
    expect(taken).to.equal(1_000_000);
    other.close({ done: true });
    expect(await channel.result).to.deep.equal({ done: true });
    near.close();
    expect(await near.closed).to.equal(undefined);
    expect((await far.closed)?.message).to.match(/the line/);
  });

  it('is cut when the other side says nothing for long', async () => {
    const [ours] = duplexPair();
    const link = createLink({
      input: ours,
      output: ours,
      side: 'conductor',
      maxAccepted: 1,
      accept: () => undefined,
      silenceMs: 200,
    });
    const keep = setInterval(() => undefined, 50); // its own timer doesn't keep a process
    expect((await link.closed)?.message).to.equal('nothing was heard for 0.2 s');
    clearInterval(keep);
    const { near } = connect({ silenceMs: 200 });
    let isOver = false;
    void near.closed.then(() => (isOver = true));
    const until = performance.now() + 600;
    await waitUntil('three times as long', () => performance.now() > until);
    expect(isOver).to.equal(false);
    near.close();
  });

  it('tells who waits on any of its channels that it was cut', async () => {
    const { near, far, accepted } = connect();
    const channel = near.open({});
    const other = await accepted;
    far.close();
    expect(String(await channel.result.catch((error: unknown) => error))).to.match(/the line/);
    expect(other.over.aborted).to.equal(true);
    expect(await channel.send(Buffer.from('x')).catch(() => 'refused')).to.equal('refused');
    expect(String(await near.open({}).result.catch((error: unknown) => error))).to.match(/closed/);
  });
});
