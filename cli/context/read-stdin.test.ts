import { expect } from 'chai';
import type { Input } from '../deps.ts';
import { createTestDeps } from '../testing/create-test-deps.ts';
import type { TestDeps } from '../testing/create-test-deps.ts';
import { readStdin } from './read-stdin.ts';

/** A pipe whose writer does what `chunks` does; records whether it was let go. */
function withPipe(deps: TestDeps, chunks: () => AsyncIterable<Uint8Array>): { closed: boolean } {
  const state = { closed: false };
  const stdin: Input = { isTTY: false, piped: true, chunks, close: () => void (state.closed = true) };
  Object.assign(deps, { stdin });
  return state;
}

async function* never(): AsyncGenerator<Uint8Array> {
  yield await new Promise<never>(() => undefined);
}

const OPTIONS = { required: false, patienceMs: 3000 };
const NOTHING = 'Nothing came on stdin: going on without it. (--no-stdin: never look; -: wait for it)\n';

describe('readStdin', () => {
  it('reads a pipe to its end', async () => {
    expect(await readStdin(createTestDeps({ stdin: 'löwe\n' }), OPTIONS)).to.equal('löwe\n');
  });

  it('finds nothing in an empty pipe and on a terminal', async () => {
    expect(await readStdin(createTestDeps({ stdin: '' }), OPTIONS)).to.equal(undefined);
    expect(await readStdin(createTestDeps({ tty: true }), OPTIONS)).to.equal(undefined);
  });

  it('goes on without an open pipe that says nothing, and says so', async () => {
    const deps = createTestDeps();
    const pipe = withPipe(deps, never);
    expect(await readStdin(deps, OPTIONS)).to.equal(undefined);
    expect({ waits: deps.waits, err: deps.err(), ...pipe }).to.deep.equal({
      waits: [3000],
      err: NOTHING,
      closed: true,
    });
  });

  it('waits where a person watches, says what for, and stops on Ctrl-C', async () => {
    const deps = createTestDeps({ tty: true });
    const pipe = withPipe(deps, never);
    const reading = readStdin(deps, OPTIONS).catch((error: unknown) => error);
    await new Promise((resolve) => setImmediate(resolve));
    expect(deps.err()).to.equal('Reading stdin… (end it with Ctrl-D, or use --no-stdin)\n');
    const reason = new Error('stopped');
    deps.stop.abort(reason);
    expect(await reading).to.equal(reason);
    expect(pipe.closed).to.equal(true);
  });

  it('waits for a slow writer when - was given', async () => {
    const deps = createTestDeps();
    withPipe(deps, async function* () {
      await new Promise((resolve) => setImmediate(resolve));
      yield Buffer.from('late');
    });
    expect(await readStdin(deps, { ...OPTIONS, required: true })).to.equal('late');
  });

  it('refuses what is not text, and what has no end', async () => {
    const binary = createTestDeps();
    withPipe(binary, async function* () {
      yield Buffer.from([0, 1, 2]);
    });
    const endless = createTestDeps();
    withPipe(endless, async function* () {
      for (;;) yield Buffer.alloc(1024 * 1024, 'y');
    });
    const refuse = (deps: TestDeps): Promise<unknown> => readStdin(deps, OPTIONS).catch((error: unknown) => error);
    expect(await refuse(binary)).to.include({
      code: 'invalid_request',
      detail: 'What came on stdin is not UTF-8 text.',
    });
    expect(await refuse(endless)).to.include({ code: 'body_too_large' });
  });
});
