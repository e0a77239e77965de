import type { z } from 'zod';
import { createEgress } from './egress.ts';
import type { Dial } from './egress.ts';
import type { Channel } from './channel.ts';
import { createLink } from './link.ts';
import type { LinkOptions } from './link.ts';
import {
  ANSWERS,
  ExecOutcome,
  MAX_ANSWER_BYTES,
  MAX_CONNECTIONS,
  MAX_DIFF_BYTES,
  Outcome,
  Progress,
} from './protocol.ts';
import type { WorkRequest } from './protocol.ts';
import { WorkError } from './workplace.ts';
import type { ConnectRule, ExecCommand, WorkEnd, WorkExit, Workplace, WorkProcess } from './workplace.ts';

/** Long enough for a place that is starved by its own programs; a program that has stopped `conductor work` is noticed all the same. */
const SILENCE_MS = 60_000;
const PROGRESS_MS = 100;

export interface RemoteOptions extends Pick<LinkOptions, 'input' | 'output'> {
  dial: Dial;
  /** Sees to it that nothing of it is left, and tells why it ended where the other side could not. */
  end(wasAsked: boolean): Promise<WorkEnd | undefined>;
}

export interface RemoteWorkplace extends Workplace {
  /** Checks the snapshot out, unless that was done before. */
  prepare(snapshot: string, progress: (text: string) => void, signal: AbortSignal): Promise<void>;
}

/** The conductor's side of a place of work. */
export function createRemoteWorkplace({ input, output, dial, end }: RemoteOptions): RemoteWorkplace {
  let decide: ConnectRule = () => Promise.resolve('deny');
  const accept = createEgress({ decide: (host, port) => decide(host, port), dial });
  const link = createLink({
    input,
    output,
    side: 'conductor',
    accept,
    maxAccepted: MAX_CONNECTIONS,
    silenceMs: SILENCE_MS,
  });
  const closed = link.closed.then(async (error): Promise<WorkEnd> => {
    const told = await end(error === undefined);
    if (error === undefined) return { reason: 'asked', detail: 'It was closed.' };
    return told ?? { reason: 'lost', detail: `The place of the run was lost: ${error.message}.` };
  });
  closed.catch(() => undefined);

  async function call(request: WorkRequest, body?: Uint8Array, limit = MAX_ANSWER_BYTES): Promise<Buffer> {
    const channel = link.open(request);
    try {
      if (body !== undefined) await channel.send(body);
      channel.end();
      const answer = await readAll(channel, limit);
      const { error } = parseAnswer(Outcome, await channel.result);
      if (error !== undefined) throw new WorkError(error.code, error.message);
      return answer;
    } catch (cause) {
      channel.close();
      if (cause instanceof WorkError) throw cause;
      // A side that answers before it has read everything closes the channel under what is being sent.
      const early = await channel.result.then((value) => Outcome.safeParse(value).data?.error).catch(() => undefined);
      if (early !== undefined) throw new WorkError(early.code, early.message, { cause });
      throw new WorkError('lost', describe(cause), { cause });
    }
  }
  const ask = async <T>(schema: z.ZodType<T>, request: WorkRequest, body?: Uint8Array): Promise<T> =>
    parseAnswer(schema, parseJson(await call(request, body)));
  return {
    exec: (command) => startProcess(link.open(describeCommand(command))),
    readFile: (path, options = {}) => ask(ANSWERS.read_file, { op: 'read_file', path, ...options }),
    readBytes: (path, limit) => call({ op: 'read_bytes', path, limit }, undefined, limit),
    writeFile: (path, text) => ask(ANSWERS.write_file, { op: 'write_file', path }, Buffer.from(text)),
    editFile: (path, edits) => ask(ANSWERS.edit_file, { op: 'edit_file', path }, Buffer.from(JSON.stringify(edits))),
    listFiles: (options) => ask(ANSWERS.list_files, { op: 'list_files', ...options }),
    search: (options) => ask(ANSWERS.search, { op: 'search', ...options }),
    changes: () => ask(ANSWERS.changes, { op: 'changes' }),
    readObject: (object, limit) => call({ op: 'read_object', object, limit }, undefined, limit),
    diff: async () => (await call({ op: 'diff' }, undefined, MAX_DIFF_BYTES)).toString('utf8'),
    onConnect: (rule) => void (decide = rule),
    async close() {
      link.close();
      await closed;
    },
    closed,
    async prepare(snapshot, progress, signal) {
      const channel = link.open({ op: 'prepare', snapshot } satisfies WorkRequest);
      const abort = (): void => channel.close();
      signal.addEventListener('abort', abort, { once: true });
      let toldAt = 0;
      channel.onTell((message) => {
        const { data } = Progress.safeParse(message);
        if (data === undefined || performance.now() - toldAt < PROGRESS_MS) return;
        toldAt = performance.now();
        progress(data.progress);
      });
      try {
        signal.throwIfAborted();
        const { error } = parseAnswer(Outcome, await channel.result);
        if (error !== undefined) throw new WorkError(error.code, error.message);
      } catch (cause) {
        signal.throwIfAborted();
        throw cause instanceof WorkError ? cause : new WorkError('lost', describe(cause), { cause });
      } finally {
        signal.removeEventListener('abort', abort);
      }
    },
  };
}

function describeCommand({ argv, cwd, env, tty, timeout_ms }: ExecCommand): WorkRequest {
  return { op: 'exec', argv, cwd, env, tty, timeout_ms };
}

function startProcess(channel: Channel): WorkProcess {
  const exit = channel.result.then(readExit, (cause) => {
    throw new WorkError('lost', describe(cause), { cause });
  });
  exit.catch(() => undefined); // who doesn't wait for it needn't hear
  return {
    output: readOutput(channel),
    write: (data) => channel.send(data),
    end: () => channel.end(),
    resize: (columns, rows) => channel.tell({ resize: { columns, rows } }),
    kill: (signal) => channel.tell({ kill: signal }),
    exit,
  };
}

async function* readOutput(channel: Channel): AsyncGenerator<{ stream: 'stdout' | 'stderr'; data: Uint8Array }> {
  for await (const { stream, data } of channel.data) {
    yield { stream: stream === 2 ? ('stderr' as const) : ('stdout' as const), data };
  }
}

function readExit(value: unknown): WorkExit {
  const { error, code = null, signal = null, timed_out = false, out_of_memory } = parseAnswer(ExecOutcome, value);
  if (error !== undefined) throw new WorkError(error.code, error.message);
  return { code, signal, timed_out, ...(out_of_memory === true ? { out_of_memory } : {}) };
}

async function readAll(channel: Channel, limit: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const { data } of channel.data) {
    bytes += data.length;
    if (bytes > limit) throw new WorkError('too_large', `The answer has more than ${limit} bytes.`);
    pieces.push(data);
  }
  return Buffer.concat(pieces);
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8')) as unknown;
  } catch (cause) {
    throw new WorkError('lost', 'The place of the run answered something that makes no sense.', { cause });
  }
}

function parseAnswer<T>(schema: z.ZodType<T>, value: unknown): T {
  const { success, data, error } = schema.safeParse(value);
  if (success) return data;
  throw new WorkError('lost', 'The place of the run answered something that makes no sense.', { cause: error });
}

function describe(cause: unknown): string {
  return `The place of the run is gone: ${cause instanceof Error ? cause.message : String(cause)}.`;
}
