import type { Readable, Writable } from 'node:stream';
import type { Channel } from '../workplace/channel.ts';
import { ProtocolError } from '../workplace/frames.ts';
import { createLink } from '../workplace/link.ts';
import { Edits, MAX_FILE_BYTES, WorkRequest } from '../workplace/protocol.ts';
import { WorkError } from '../workplace/workplace.ts';
import { listChanges, makePatch, readObject } from './comparison.ts';
import { runProgram } from './exec.ts';
import { editText, readText, readWhole, writeText } from './files.ts';
import { createGit } from './git.ts';
import { listFiles, searchFiles } from './look.ts';
import { describeEnvironment } from './place.ts';
import type { Place } from './place.ts';
import { explain } from './processes.ts';
import { startProxy } from './proxy.ts';
import { prepareTree } from './snapshot.ts';

/** Of the conductor, which asks one thing after the other, apart from programs that run side by side. */
const MAX_CHANNELS = 256;

export interface WorkOptions {
  input: Readable;
  output: Writable;
  place: Place;
  /** 0: any. */
  proxyPort: number;
}

/** Serves one place until its line ends. */
export async function serveWork({ input, output, place, proxyPort }: WorkOptions): Promise<void> {
  const git = createGit(place);
  // One at a time: two would fight for git's index.
  let comparing: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = comparing.then(work, work);
    comparing = turn.catch(() => undefined);
    return turn;
  };
  const running = new Set<Promise<void>>();
  const link = createLink({
    input,
    output,
    side: 'work',
    maxAccepted: MAX_CHANNELS,
    accept(channel, message) {
      const { data, error } = WorkRequest.safeParse(message);
      if (data === undefined) {
        const [fault] = error?.issues ?? [];
        const said = `${fault?.path.join('.') ?? 'request'}: ${fault?.message ?? 'not valid'}`;
        return channel.close({ error: { code: 'failed', message: said.slice(0, 500) } });
      }
      const work = answer(channel, data).finally(() => running.delete(work));
      running.add(work);
    },
  });
  const proxy = await startProxy(proxyPort, (request) => link.open(request));
  const env = describeEnvironment(place, proxy.port);

  async function answer(channel: Channel, request: WorkRequest): Promise<void> {
    try {
      if (request.op === 'exec') return await runProgram(place, env, request, channel);
      const result = await work(channel, request);
      if (result !== undefined)
        await channel.send(Buffer.isBuffer(result) ? result : Buffer.from(JSON.stringify(result)));
      channel.end();
      channel.close();
    } catch (error) {
      if (error instanceof ProtocolError) throw error;
      const { code, message } = explain(error, 'path' in request ? request.path : request.op);
      channel.close({ error: { code, message: message.slice(0, 4000) } });
    }
  }
  async function work(channel: Channel, request: Exclude<WorkRequest, { op: 'exec' }>): Promise<object | undefined> {
    switch (request.op) {
      case 'prepare':
        await inTurn(() =>
          prepareTree(place, git, request.snapshot, (text) => channel.tell({ progress: text.slice(0, 200) })),
        );
        return undefined;
      case 'read_file':
        return readText(place.tree, request.path, request);
      case 'read_bytes':
        return readWhole(place.tree, request.path, request.limit);
      case 'write_file':
        return writeText(place.tree, request.path, await readBody(channel));
      case 'edit_file':
        return editText(place.tree, request.path, Edits.parse(JSON.parse((await readBody(channel)).toString('utf8'))));
      case 'list_files':
        return inTurn(() => listFiles(place, git, request));
      case 'search':
        return searchFiles(place, git, request);
      case 'changes':
        return inTurn(() => listChanges(place, git));
      case 'read_object':
        return inTurn(() => readObject(git, request.object, request.limit));
      case 'diff':
        return inTurn(() => makePatch(git));
    }
  }
  await link.closed;
  proxy.close();
  await Promise.allSettled(running);
}

async function readBody(channel: Channel): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const { data } of channel.data) {
    bytes += data.length;
    if (bytes > MAX_FILE_BYTES) throw new WorkError('too_large', `That is more than ${MAX_FILE_BYTES} bytes.`);
    pieces.push(data);
  }
  return Buffer.concat(pieces);
}
