import { expect } from 'chai';
import { SpoqError } from '../../contract/errors.ts';
import { ContentsRequest } from '../../contract/workspaces.ts';
import { createFrameReader } from '../../sync/frames.ts';
import { createSender, cutContent } from './sender.ts';
import type { Part, Sender } from './sender.ts';

const MIB = 1024 * 1024;
const nameOf = (letter: string): string => letter.repeat(64);

/** A box whose requests end when they are told to. */
function createBox() {
  const requests: {
    contents: ContentsRequest['contents'];
    pieces: [string, number, number][];
    end(error?: Error): void;
  }[] = [];
  return {
    requests,
    send(frames: Uint8Array) {
      const pieces: [string, number, number][] = [];
      let request: ContentsRequest | undefined;
      const reader = createFrameReader(
        (head) => {
          request = ContentsRequest.parse(head);
        },
        ({ hash, offset, bytes }) => pieces.push([hash[0] ?? '', offset, bytes.length]),
      );
      reader.push(frames);
      reader.end();
      const { promise, resolve, reject } = Promise.withResolvers<undefined>();
      requests.push({
        contents: request?.contents ?? [],
        pieces,
        end: (error) => (error === undefined ? resolve(undefined) : reject(error)),
      });
      return promise.then(() => ({ rejected: [], ms: 1000 }));
    },
  };
}

describe('contents that are sent', () => {
  let box: ReturnType<typeof createBox>;
  let sent: Part[];
  let sender: Sender;

  beforeEach(() => {
    box = createBox();
    sent = [];
    const { signal } = new AbortController();
    sender = createSender({
      box,
      folder: '00000000-0000-4000-8000-000000000000',
      signal,
      onSent: (parts) => void sent.push(...parts),
    });
  });

  const add = (letter: string, size: number): void => {
    for (const piece of cutContent(nameOf(letter), new Uint8Array(size))) sender.add(piece, size);
  };
  const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  it('go together, an empty one as well', async () => {
    add('a', 10);
    add('b', 0);
    add('c', 5);
    const ended = sender.end(true);
    await turn();
    expect(box.requests.map(({ pieces }) => pieces)).to.deep.equal([
      [
        ['a', 0, 10],
        ['b', 0, 0],
        ['c', 0, 5],
      ],
    ]);
    box.requests[0]?.end();
    expect(await ended).to.deep.equal([]);
    expect(sent.length).to.equal(3);
  });

  it('go three requests at a time; the parts of one in their order', async () => {
    add('a', 2 * MIB + 7);
    await turn();
    expect(box.requests.map(({ pieces }) => pieces)).to.deep.equal([[['a', 0, MIB]]]);
    add('b', MIB);
    expect(sender.isFull()).to.equal(false);
    add('c', MIB);
    expect(sender.isFull()).to.equal(true);
    const room = sender.room();
    box.requests[0]?.end();
    await room;
    const ended = sender.end(true);
    await turn();
    // The second part has waited for the first, and the third waits for the second; what is of another content goes at once.
    expect(box.requests.slice(1).map(({ pieces }) => pieces)).to.have.deep.members([
      [['a', MIB, MIB]],
      [['c', 0, MIB]],
    ]);
    for (const request of box.requests) request.end();
    await turn();
    expect(box.requests[3]?.pieces).to.deep.equal([
      ['a', 2 * MIB, 7],
      ['b', 0, MIB],
    ]);
    box.requests[3]?.end();
    await ended;
  });

  it('end with the failure of a request', async () => {
    add('a', MIB);
    add('b', MIB);
    add('c', MIB);
    const room = sender.room();
    await turn();
    box.requests[1]?.end(new SpoqError('box_unreachable'));
    const failure = await room.catch((error: unknown) => error);
    expect(failure).to.be.instanceOf(SpoqError);
    expect(await sender.end(true).catch((error: unknown) => error)).to.equal(failure);
  });

  it('are dropped when nobody needs what waits', async () => {
    add('a', 10);
    expect([await sender.end(false), box.requests.length]).to.deep.equal([[], 0]);
  });
});
