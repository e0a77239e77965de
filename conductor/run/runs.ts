import { randomUUID } from 'node:crypto';
import type { ModelMessage } from 'ai';
import type { z } from 'zod';
import { SpoqError } from '../../contract/errors.ts';
import type { ContinueRequest, Decision, ExecRequest, InputRequest, RunRequest } from '../../contract/run.ts';
import type { Begun, Conversations, NewTurn, Turn } from '../conversations/conversations.ts';
import type { Store } from '../store/store.ts';
import { workOnExec } from './exec-turn.ts';
import type { RunningExec } from './exec-turn.ts';
import { describeUnknown } from './execute-call.ts';
import { findPending, readUnsaid, toResult, wasBegun } from './history.ts';
import type { PlaceOf } from './open-places.ts';
import { RunInput, workOnRun } from './run-turn.ts';
import type { RunTurnDeps } from './run-turn.ts';
import { parseRule } from './rules/rules.ts';

export interface RunsDeps extends RunTurnDeps {
  conversations: Conversations;
  /** The model that will be asked: the one of that name, or the box's own. Throws like `Models.choose`. */
  chooseModel(name: string | undefined): string;
  /** Whether this box can confine a run. */
  available: boolean;
  /** Writes down the present state of a workspace; undefined where a box has none. */
  takeSnapshot: ((workspace: string) => Promise<string>) | undefined;
}

/** Everything that works in workplaces. */
export interface Runs {
  begin(request: z.output<typeof RunRequest>, requestId: string): Promise<Begun>;
  exec(request: z.output<typeof ExecRequest>, requestId: string): Promise<Begun>;
  /** Goes on with the last run of a conversation that did not come to its end. Throws `nothing_to_continue`. */
  continue(conversation: string, request: z.output<typeof ContinueRequest>, requestId: string): Promise<Begun>;
  answer(conversation: string, approval: string, decision: Decision, by: string): Promise<void>;
  input(conversation: string, request: InputRequest): Promise<{ received: number }>;
  /** Goes on with what was parked, or waits. Called once, after the start. Answers how many. */
  reviveAll(): number;
  /** Settles when nothing of it is at work. */
  idle(): Promise<void>;
}

const GO_ON = 'Your work was cut off here. Look at how things stand, and go on with the task.';

/** Puts the parts together. */
export function createRuns(deps: RunsDeps): Runs {
  const { conversations, store, places } = deps;
  /** Programs at work; who sends input early waits for the start. */
  const executing = new Map<string, Promise<RunningExec>>();
  const working = new Set<Promise<void>>();
  const keep = (work: Promise<void>): void => {
    working.add(work);
    void work.finally(() => working.delete(work));
  };

  /** Where a turn works: the place that its conversation has, or a new one. */
  const choosePlace = async (request: {
    conversation?: string | undefined;
    workspace: string;
    snapshot?: string | undefined;
  }): Promise<PlaceOf> => {
    if (!deps.available) throw new SpoqError('run_unavailable');
    const there = request.conversation === undefined ? undefined : places.find(request.conversation);
    if (there !== undefined && there.workspace !== request.workspace) {
      throw new SpoqError('invalid_request', {
        detail: `This conversation works in a copy of ${there.workspace}.`,
        faults: [{ field: 'workspace', message: `must be ${there.workspace}` }],
        next: 'Begin another conversation, or discard that copy first.',
      });
    }
    if (there !== undefined) return there;
    if (request.snapshot !== undefined) return { workspace: request.workspace, snapshot: request.snapshot };
    if (deps.takeSnapshot === undefined)
      throw new SpoqError('run_unavailable', { detail: 'This box keeps no workspaces.' });
    return { workspace: request.workspace, snapshot: await deps.takeSnapshot(request.workspace) };
  };
  return {
    async begin(request, requestId) {
      checkRules({ allow: request.allow, deny: request.deny });
      const model = deps.chooseModel(request.model);
      const place = await choosePlace(request);
      const { cwd = '.', allow, deny } = request;
      const input: RunInput = { ...place, cwd, allow, deny, model: request.model };
      const begun = await conversations.begin({
        request: request.request ?? randomUUID(),
        conversation: request.conversation,
        kind: 'run',
        text: request.task,
        folder: request.folder,
        model,
        input,
        requestId,
        ...beginWith(deps, request.conversation, place, [describeTask(request.task, request.stdin)]),
      });
      const { live } = begun;
      if (live !== undefined) keep(workOnRun(deps, live, input));
      return begun;
    },

    async exec(request, requestId) {
      const place = await choosePlace(request);
      const { argv, env, tty, stdin, cwd } = request;
      const begun = await conversations.begin({
        request: request.request ?? randomUUID(),
        conversation: request.conversation,
        kind: 'exec',
        text: argv.join(' ').slice(0, 10_000),
        folder: request.folder,
        model: null,
        requestId,
        also: (conversation) => places.insert(conversation, place),
      });
      const { live } = begun;
      if (live !== undefined) {
        const command = {
          argv,
          ...(cwd === undefined ? {} : { cwd }),
          ...(env === undefined ? {} : { env }),
          ...(tty === undefined ? {} : { tty }),
        };
        const input = { workspace: place.workspace, command, stdin };
        const { promise: started, resolve, reject } = Promise.withResolvers<RunningExec>();
        started.catch(() => undefined);
        executing.set(live.conversation, started);
        const end = (): void => {
          executing.delete(live.conversation);
          reject(nothingRuns());
        };
        keep(workOnExec(deps, live, input, resolve).finally(end));
      }
      return begun;
    },

    async continue(conversation, { request = randomUUID() }, requestId) {
      const last = findLast(store, conversation);
      if (last.request !== request && (last.kind !== 'run' || !['interrupted', 'failed'].includes(last.state)))
        throw new SpoqError('nothing_to_continue');
      if (!deps.available) throw new SpoqError('run_unavailable');
      const input = RunInput.parse(last.input);
      const said = readUnsaid(store, conversation, last.number);
      const isTold = lastRole(deps, conversation) === 'assistant';
      const unsaid: ModelMessage[] = said === '' || isTold ? [] : [{ role: 'assistant', content: said }];
      const messages: ModelMessage[] = [...unsaid, { role: 'user', content: GO_ON }];
      const begun = await conversations.begin({
        request,
        conversation,
        kind: 'run',
        text: 'Go on.',
        model: deps.chooseModel(input.model),
        input,
        requestId,
        ...beginWith(deps, conversation, places.find(conversation) ?? input, messages),
      });
      const { live } = begun;
      if (live !== undefined) keep(workOnRun(deps, live, input));
      return begun;
    },

    answer: (conversation, approval, decision, by) => deps.approvals.answer(conversation, approval, decision, by),

    async input(conversation, request) {
      const running = await executing.get(conversation);
      if (running === undefined) throw nothingRuns();
      return running.input(request);
    },

    reviveAll() {
      const rows = store.all(
        "SELECT conversation, number, state, input FROM turns WHERE state IN ('parked', 'waiting')",
      );
      for (const row of rows) {
        const turn = conversations.revive(String(row['conversation']), Number(row['number']));
        const input = RunInput.parse(JSON.parse(String(row['input'])));
        const isParked = row['state'] === 'parked';
        deps.approvals.revive(turn, input.workspace);
        keep(revive(deps, turn, input, isParked));
      }
      return rows.length;
    },

    async idle() {
      await Promise.all(working);
    },
  };
}

async function revive(deps: RunsDeps, turn: Turn, input: RunInput, isParked: boolean): Promise<void> {
  try {
    if (isParked) {
      turn.setState('running');
      await turn.emit({
        type: 'notice',
        code: 'went_on',
        message: 'The box was restarted; the run goes on where it was.',
      });
    }
  } catch (error) {
    if (!(error instanceof SpoqError)) deps.reportBug(error);
    return turn.park('parked');
  }
  await workOnRun(deps, turn, input);
}

function nothingRuns(): SpoqError {
  return new SpoqError('input_refused', { detail: 'Nothing runs that takes input.' });
}

/** Throws `invalid_request` with every rule that is none. */
function checkRules(rules: Record<string, string[]>): void {
  const faults = Object.entries(rules).flatMap(([field, texts]) =>
    texts.flatMap((text) => {
      try {
        parseRule(text);
        return [];
      } catch (error) {
        return [{ field, message: error instanceof Error ? error.message : 'is no rule' }];
      }
    }),
  );
  if (faults.length > 0) throw new SpoqError('invalid_request', { detail: 'A rule is not valid.', faults });
}

/** What a turn begins with. Calls of before get their end first: a model that asks for something must be told what became of it. */
function beginWith(
  { store, recall, places }: RunsDeps,
  conversation: string | undefined,
  place: PlaceOf,
  messages: ModelMessage[],
): Pick<NewTurn, 'events' | 'messages' | 'also'> {
  const pending = conversation === undefined ? [] : findPending(recall(conversation) as ModelMessage[]);
  const ends = pending.map((call) =>
    conversation !== undefined && wasBegun(store, conversation, call.id)
      ? describeUnknown(call)
      : { event: undefined, message: toResult(call, 'It was not done: the run was cut off before.', true) },
  );
  return {
    events: ends.flatMap(({ event }) => event ?? []),
    messages: [...ends.map(({ message }) => message), ...messages],
    also: (id) => places.insert(id, place),
  };
}

function lastRole({ recall }: RunsDeps, conversation: string): string | undefined {
  return (recall(conversation) as ModelMessage[]).at(-1)?.role;
}

function describeTask(task: string, stdin: string | undefined): ModelMessage {
  if (stdin === undefined) return { role: 'user', content: task };
  const mark = randomUUID().slice(0, 8);
  return { role: 'user', content: `<stdin-${mark}>\n${stdin}\n</stdin-${mark}>\n\n${task}` };
}

function findLast(
  store: Store,
  conversation: string,
): { number: number; kind: string; state: string; request: string; input: unknown } {
  const sql =
    'SELECT number, kind, state, request, input FROM turns WHERE conversation = ? ORDER BY number DESC LIMIT 1';
  const row = store.get(sql, conversation);
  if (row === undefined) throw new SpoqError('conversation_unknown');
  const input: unknown = typeof row['input'] === 'string' ? JSON.parse(row['input']) : undefined;
  return {
    number: Number(row['number']),
    kind: String(row['kind']),
    state: String(row['state']),
    request: String(row['request']),
    input,
  };
}
