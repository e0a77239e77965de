import { expect } from 'chai';
import type { ApplyRequest, Entry, Refusal } from '../../contract/workspaces.ts';
import { startPlacing } from './placing.ts';
import type { Placing } from './placing.ts';

const FOLDER = '00000000-0000-4000-8000-000000000000';
const hashOf = (letter: string): string => letter.repeat(64);
const fileOf = (letter: string): Entry & { kind: 'file' } => ({
  kind: 'file',
  mode: 0o644,
  size: 1,
  hash: hashOf(letter),
});

/** A box whose requests end when they are told to. */
function createBox() {
  const requests: { request: ApplyRequest; paths: string[]; end(refused?: Refusal[] | Error): void }[] = [];
  return {
    requests,
    async apply(request: ApplyRequest) {
      const { promise, resolve, reject } = Promise.withResolvers<{ refused: Refusal[] }>();
      requests.push({
        request,
        paths: request.steps.map(({ path }) => path),
        end: (refused = []) => (refused instanceof Error ? reject(refused) : resolve({ refused })),
      });
      return promise;
    },
  };
}

async function settle(): Promise<void> {
  await new Promise((done) => setImmediate(done));
}

describe('files that are put in place while others are read', () => {
  let box: ReturnType<typeof createBox>;
  let placing: Placing;
  const folders = new Map<string, Entry>();

  beforeEach(() => {
    box = createBox();
    placing = startPlacing(box, FOLDER);
    folders.clear();
    for (const path of ['a', 'a/b']) folders.set(path, { kind: 'folder', mode: 0o750 });
  });
  const expectFile = (path: string, letter: string): void =>
    placing.expect(path, fileOf(letter), (at) => folders.get(at));

  it('go by one request at a time, each with the folders that it is the first to need, and each on the state of the last', async () => {
    expectFile('a/b/x', 'x');
    expectFile('a/y', 'y');
    expectFile('z', 'z');
    placing.arrived(hashOf('y'));
    placing.arrived(hashOf('x'));
    placing.arrived(hashOf('z'));
    placing.arrived(hashOf('0'));
    const [first] = box.requests;
    expect(box.requests.map(({ paths }) => paths)).to.deep.equal([['a', 'a/y']]);
    expect(first?.request).to.deep.include({ folder: FOLDER, base: null, agreed: [], contents: [], more: true });
    expect(first?.request.steps).to.deep.equal([
      { path: 'a', want: { kind: 'folder', mode: 0o750 }, expect: null, agree: true },
      { path: 'a/y', want: fileOf('y'), expect: null, agree: true },
    ]);
    first?.end();
    await settle();
    expect(box.requests.map(({ paths }) => paths).slice(1)).to.deep.equal([['a/b', 'a/b/x', 'z']]);
    expect(box.requests[1]?.request.base).to.equal(first?.request.next_base);
    box.requests[1]?.end([{ path: 'a/b/x', reason: 'something is there already' }]);
    await placing.end();
    const placed = placing.placed();
    expect(placed?.base).to.equal(box.requests[1]?.request.next_base);
    expect(placed?.steps.map(({ path }) => path)).to.deep.equal(['a', 'a/y', 'a/b', 'z']);
  });

  it('leave those in folders that cannot be written into to the end', async () => {
    folders.set('a', { kind: 'folder', mode: 0o555 });
    expectFile('a/y', 'y');
    placing.arrived(hashOf('y'));
    expect(box.requests).to.have.length(0);
    await placing.end();
    expect(placing.placed()).to.equal(undefined);
  });

  it('begin nothing new at the end, and wait for what is under way', async () => {
    expectFile('y', 'y');
    expectFile('z', 'z');
    placing.arrived(hashOf('y'));
    placing.arrived(hashOf('z'));
    const ended = placing.end();
    box.requests[0]?.end();
    await ended;
    expect(placing.placed()?.steps.map(({ path }) => path)).to.deep.equal(['y']);
    await settle();
    expect(box.requests).to.have.length(1);
  });

  it('end with the first failure', async () => {
    expectFile('y', 'y');
    expectFile('z', 'z');
    expectFile('x', 'x');
    placing.arrived(hashOf('y'));
    box.requests[0]?.end();
    await settle();
    placing.arrived(hashOf('z'));
    box.requests[1]?.end(new Error('cut'));
    await settle();
    placing.arrived(hashOf('x'));
    expect(box.requests).to.have.length(2);
    expect(placing.placed()?.steps.map(({ path }) => path)).to.deep.equal(['y']);
    expect(await placing.end().catch((error: unknown) => (error as Error).message)).to.equal('cut');
  });
});
