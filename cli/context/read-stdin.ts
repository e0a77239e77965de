import { SpoqError } from '../../contract/errors.ts';
import type { CliDeps } from '../deps.ts';
import { decodeText } from './read-candidate.ts';

export interface StdinOptions {
  /** `-` was given: it is waited for as long as it takes. */
  required: boolean;
  /** Milliseconds until an open pipe without data is left alone, where nobody sits at a terminal. */
  patienceMs: number;
}

/** 16 MiB is more than any budget; what exceeds it is a mistake, such as an endless stream. */
const MAX_BYTES = 16 * 1024 * 1024;
/** After so long a person is told what is waited for. */
const NOTICE_MS = 1000;

/**
 * Reads piped input to its end; `undefined` where there is none. A program that starts spoq and leaves a pipe open would make
 * it wait for ever, so without a terminal on stderr the first byte must come soon. Where a person watches, it is waited for
 * (a slow command in a pipeline) and said so.
 */
export async function readStdin(deps: CliDeps, options: StdinOptions): Promise<string | undefined> {
  const { stdin, stderr } = deps;
  if (!stdin.piped && !(options.required && stdin.isTTY)) return undefined;
  const iterator = stdin.chunks()[Symbol.asyncIterator]();
  try {
    const first = await waitForFirst(deps, iterator.next(), options);
    if (first === undefined) {
      await stderr.write('Nothing came on stdin: going on without it. (--no-stdin: never look; -: wait for it)\n');
      return undefined;
    }
    return await readRest(first, iterator, deps.signal);
  } finally {
    stdin.close();
  }
}

type First = IteratorResult<Uint8Array>;

async function waitForFirst(deps: CliDeps, next: Promise<First>, options: StdinOptions): Promise<First | undefined> {
  const done = new AbortController();
  const stop = AbortSignal.any([deps.signal, done.signal]);
  const isWatched = deps.stderr.isTTY || options.required;
  const patience = deps.sleep(isWatched ? NOTICE_MS : options.patienceMs, stop).then(() => undefined);
  // Whichever loses the race may still reject, when stdin is closed under it or the wait is called off.
  patience.catch(() => undefined);
  next.catch(() => undefined);
  try {
    const first = await Promise.race([next, patience]);
    if (first !== undefined || !isWatched) return first;
    await deps.stderr.write('Reading stdin… (end it with Ctrl-D, or use --no-stdin)\n');
    return await raceAbort(next, deps.signal);
  } finally {
    done.abort(new SpoqError('cancelled'));
  }
}

async function readRest(
  first: First,
  iterator: AsyncIterator<Uint8Array>,
  signal: AbortSignal,
): Promise<string | undefined> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for (let next = first; !next.done; next = await raceAbort(iterator.next(), signal)) {
    chunks.push(next.value);
    size += next.value.length;
    if (size > MAX_BYTES)
      throw new SpoqError('body_too_large', { detail: 'More than 16 MiB came on stdin.', next: 'Pipe less.' });
  }
  if (size === 0) return undefined;
  const text = decodeText(Buffer.concat(chunks));
  if (text === undefined) throw new SpoqError('invalid_request', { detail: 'What came on stdin is not UTF-8 text.' });
  return text;
}

function raceAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
    return undefined;
  });
}
