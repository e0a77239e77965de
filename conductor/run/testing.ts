import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConversationEvent } from '../../contract/conversation.ts';
import { openPost, send } from '../testing/client.ts';
import type { OpenStream } from '../testing/client.ts';
import type { TestControlPlane } from '../testing/control-plane.ts';
import { createDirectWorkplaces } from '../testing/direct-workplaces.ts';
import { startModelServer } from '../testing/model-server.ts';
import type { TestModelServer } from '../testing/model-server.ts';
import { startConductor } from '../testing/start-conductor.ts';
import type { StartOptions, TestConductor } from '../testing/start-conductor.ts';
import { makeSnapshot } from '../testing/workspace-repository.ts';
import type { TestFile } from '../testing/workspace-repository.ts';

export type NumberedEvent = ConversationEvent & { number: number };

/** A conductor that runs without confinement, with a model that the test decides on, and one workspace `web`. */
export interface RunBench {
  folder: string;
  model: TestModelServer;
  conductor: TestConductor;
  snapshot: string;
  /** The copy that a conversation works in. */
  tree(conversation: string): string;
  /** Begins a turn and reads it event by event. */
  begin(path: '/api/run' | '/api/exec', body: object, headers?: Record<string, string>): Promise<OpenStream>;
  /** A run to its end. */
  run(task: string, body?: object): Promise<NumberedEvent[]>;
  post(path: string, body?: unknown): Promise<{ status: number; json: unknown }>;
  /** Stops it in order and starts another one on the same state. */
  restart(options?: Partial<StartOptions>, graceMs?: number): Promise<void>;
  close(): Promise<void>;
}

export async function startBench(
  plane: TestControlPlane,
  files: Record<string, TestFile>,
  options: Partial<StartOptions> = {},
): Promise<RunBench> {
  const folder = await mkdtemp(join(tmpdir(), 'runs-'));
  const repository = join(folder, 'web.git');
  const snapshot = makeSnapshot(repository, files);
  const model = await startModelServer();
  const workplaces = createDirectWorkplaces({ folder: join(folder, 'places'), repository: () => repository });
  const start = (more: Partial<StartOptions> = {}): Promise<TestConductor> =>
    startConductor({
      plane,
      stateDir: join(folder, 'state'),
      workplaces,
      snapshot: () => snapshot,
      ...options,
      ...more,
      model: { baseUrl: model.url },
    });
  const bench: RunBench = {
    folder,
    model,
    conductor: await start(),
    snapshot,
    tree: (conversation) => join(folder, 'places', conversation, 'web'),
    begin: (path, body, headers) => openPost(bench.conductor.local, path, { workspace: 'web', ...body }, headers),
    run: async (task, body = {}) => readAll(await bench.begin('/api/run', { task, ...body })),
    post: (path, body = {}) => send(bench.conductor.local, { method: 'POST', path, body }),
    async restart(more, graceMs = 2000) {
      await bench.conductor.stop(graceMs);
      await bench.conductor.close();
      bench.conductor = await start(more);
    },
    async close() {
      await bench.conductor.close();
      await workplaces.closeAll();
      await model.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
  return bench;
}

export async function readAll(stream: OpenStream): Promise<NumberedEvent[]> {
  const events: NumberedEvent[] = [];
  for (let event = await next(stream); event !== undefined; event = await next(stream)) events.push(event);
  return events;
}

async function next(stream: OpenStream): Promise<NumberedEvent | undefined> {
  const event = await stream.next();
  if (event === undefined) return undefined;
  return { ...(event.data as ConversationEvent), number: Number(event.id) };
}

/** Reads up to the first event of a type. */
export async function readUntil<T extends ConversationEvent['type']>(
  stream: OpenStream,
  type: T,
): Promise<Extract<ConversationEvent, { type: T }> & { number: number }> {
  const seen: string[] = [];
  for (let event = await next(stream); event !== undefined; event = await next(stream)) {
    if (event.type === type) return event as Extract<ConversationEvent, { type: T }> & { number: number };
    seen.push(JSON.stringify(event));
  }
  throw new Error(`there was no ${type}:\n${seen.join('\n')}`);
}

export const ofType = <T extends ConversationEvent['type']>(
  events: ConversationEvent[],
  type: T,
): Extract<ConversationEvent, { type: T }>[] =>
  events.filter((event): event is Extract<ConversationEvent, { type: T }> => event.type === type);

/** The conversation of a stream of events. */
export function conversationOf(events: ConversationEvent[]): string {
  const [start] = ofType(events, 'start');
  if (start === undefined) throw new Error('the events have no start');
  return start.conversation;
}
