import type { ModelMessage } from 'ai';
import { z } from 'zod';
import { SpoqError } from '../../contract/errors.ts';
import type { Outcome } from '../conversations/outcome.ts';
import type { Turn } from '../conversations/conversations.ts';
import type { Store } from '../store/store.ts';
import { WorkError } from '../workplace/workplace.ts';
import type { Workplace } from '../workplace/workplace.ts';
import type { Approvals } from './approvals.ts';
import { readOutput } from './history.ts';
import { listGuidePaths, makeInstructions } from './instructions.ts';
import type { Guide } from './instructions.ts';
import { runLoop } from './loop.ts';
import type { CallModel, LoopDeps } from './loop.ts';
import type { OpenPlaces } from './open-places.ts';
import { createPermissions, Parked } from './permissions.ts';
import type { RuleTexts } from './permissions.ts';
import { sumChanges } from './sum-changes.ts';
import type { RunTool } from './tools/tool.ts';

/** What a run needs to be gone on with, as it lies in the database. */
export const RunInput = z.object({
  workspace: z.string(),
  snapshot: z.string(),
  cwd: z.string(),
  allow: z.array(z.string()),
  deny: z.array(z.string()),
  model: z.string().optional(),
});
export type RunInput = z.infer<typeof RunInput>;

export interface RunTurnDeps {
  store: Store;
  approvals: Approvals;
  places: OpenPlaces;
  callModel: CallModel;
  recall(conversation: string): unknown[];
  rules: RuleTexts;
  tools: RunTool[];
  /** Tools of servers that are started in the place of the run. */
  openServers(usePlace: LoopDeps['usePlace'], notify: (message: string) => Promise<void>): Promise<Servers>;
  limits: LoopDeps['limits'];
  reportBug(error: unknown): void;
}

export interface Servers {
  tools: RunTool[];
  close(): Promise<void>;
}

/** Progress is told to who waits for long, and as often as somebody reads it. */
const QUIET_MS = 1000;
const PROGRESS_MS = 2000;

/** Works on one turn to its end, or parks it. Never throws. */
export async function workOnRun(deps: RunTurnDeps, turn: Turn, input: RunInput): Promise<void> {
  try {
    const outcome = await work(deps, turn, input);
    if (outcome instanceof Parked) return turn.park(outcome.state);
    const tokens = readTokens(deps.store, turn);
    await turn.end({ ...outcome, ...tokens });
  } catch (error) {
    // Its end could not be written down: who follows it is told so.
    turn.drop();
    if (!(error instanceof SpoqError)) deps.reportBug(error);
  } finally {
    deps.approvals.forget(turn.conversation);
  }
}

async function work(deps: RunTurnDeps, turn: Turn, input: RunInput): Promise<Outcome | Parked> {
  let servers: Servers | undefined;
  let outcome: Outcome;
  try {
    const { conversation, signal } = turn;
    const permissions = createPermissions({
      approvals: deps.approvals,
      turn,
      workspace: input.workspace,
      configured: deps.rules,
      given: input,
      signal,
    });
    const progress = createProgress(turn);
    const usePlace = <T>(use: (place: Workplace) => Promise<T>): Promise<T> =>
      deps.places.use(
        conversation,
        (place) => {
          place.onConnect((host) => permissions.connect(host));
          return use(place);
        },
        { progress, signal },
      );
    const guides = await usePlace((place) => readGuides(place, input.cwd));
    servers = await deps.openServers(usePlace, (message) => turn.emit({ type: 'notice', code: 'mcp', message }));
    const stop_reason = await runLoop({
      turn,
      signal,
      store: deps.store,
      permissions,
      usePlace,
      tools: [...deps.tools, ...servers.tools],
      recall: () => deps.recall(conversation) as ModelMessage[],
      recallOutput: (call) => readOutput(deps.store, conversation, call),
      callModel: deps.callModel,
      model: input.model,
      instructions: makeInstructions(input.workspace, guides),
      limits: deps.limits,
    });
    outcome = { stop_reason, input_tokens: null, output_tokens: null };
  } catch (error) {
    if (error instanceof Parked) return error;
    if (error instanceof WorkError) {
      outcome = { failure: new SpoqError('workplace_lost', { detail: error.message, cause: error }) };
    } else {
      if (!(error instanceof SpoqError)) deps.reportBug(error);
      outcome = { failure: error instanceof SpoqError ? error : new SpoqError('internal') };
    }
  } finally {
    await servers?.close();
  }
  await tellChanges(deps, turn, !('failure' in outcome));
  return outcome;
}

/** What the run has changed. A place without changes isn't kept when the run is done: there is nothing to lose. */
export async function tellChanges(
  { places, reportBug }: Pick<RunTurnDeps, 'places' | 'reportBug'>,
  turn: Turn,
  isDone: boolean,
  isQuiet = false,
): Promise<void> {
  // Who stops now has no time for it.
  if (turn.stopping.aborted || places.find(turn.conversation) === undefined) return;
  try {
    const sum = sumChanges(await places.use(turn.conversation, (place) => place.changes()));
    places.note(turn.conversation, sum.files);
    if (sum.files > 0 || !isQuiet) await turn.emit({ type: 'changes', ...sum });
    if (sum.files === 0 && isDone) await places.remove(turn.conversation);
  } catch (error) {
    if (!(error instanceof SpoqError) && !(error instanceof WorkError)) return reportBug(error);
    const message = `What was changed could not be read: ${error.message} It is kept; see \`spoq diff\`.`;
    await turn.emit({ type: 'notice', code: 'changes_unread', message });
  }
}

async function readGuides(place: Workplace, cwd: string): Promise<Guide[]> {
  const guides: Guide[] = [];
  for (const path of listGuidePaths(cwd)) {
    try {
      guides.push({ path, text: (await place.readFile(path)).text });
    } catch (error) {
      // There is none, or it isn't one: it is the project's to have some.
      if (!(error instanceof WorkError) || error.code === 'lost') throw error;
    }
  }
  return guides;
}

export function createProgress(turn: Turn): (text: string) => void {
  let toldAt = performance.now() + QUIET_MS - PROGRESS_MS;
  return (text) => {
    if (performance.now() - toldAt < PROGRESS_MS) return;
    toldAt = performance.now();
    // When it can't be written down, the next event can't either, and says so.
    turn.emit({ type: 'notice', code: 'preparing', message: `${text}…` }).catch(() => undefined);
  };
}

function readTokens(
  store: Store,
  turn: Turn,
): { input_tokens: number; output_tokens: number; cost_micros: number | null } {
  const sql = 'SELECT input_tokens, output_tokens, cost_micros FROM turns WHERE conversation = ? AND number = ?';
  const row = store.get(sql, turn.conversation, turn.number);
  const cost = row?.['cost_micros'];
  return {
    input_tokens: Number(row?.['input_tokens'] ?? 0),
    output_tokens: Number(row?.['output_tokens'] ?? 0),
    cost_micros: typeof cost === 'number' ? cost : null,
  };
}
