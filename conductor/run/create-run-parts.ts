import type { Conversations } from '../conversations/conversations.ts';
import type { CallDeps } from '../model/call-model.ts';
import type { Models } from '../model/models.ts';
import type { Store } from '../store/store.ts';
import type { Workplaces } from '../workplace/workplace.ts';
import { createApprovals } from './approvals.ts';
import { openServers } from './mcp/open-servers.ts';
import type { McpServer } from './mcp/open-servers.ts';
import { createCallModel } from './model-step.ts';
import { createOpenPlaces } from './open-places.ts';
import type { OpenPlaces } from './open-places.ts';
import type { RuleTexts } from './permissions.ts';
import { createRuns } from './runs.ts';
import type { Runs } from './runs.ts';
import { createFetchTool } from './tools/fetch.ts';
import type { FetchDeps } from './tools/fetch.ts';
import { FILE_TOOLS } from './tools/file-tools.ts';
import { SHELL_TOOLS } from './tools/shell.ts';

export interface RunPartsDeps {
  store: Store;
  conversations: Conversations;
  models: Models;
  /** What every call of a model needs. */
  calls: CallDeps;
  rules: RuleTexts;
  servers: McpServer[];
  /** Undefined where runs can't be confined. */
  workplaces: Workplaces | undefined;
  takeSnapshot: ((workspace: string) => Promise<string>) | undefined;
  now: () => number;
  reportBug(error: unknown): void;
  limits?: { steps: number; activeMs: number } | undefined;
  fetch?: FetchDeps | undefined;
}

/** A run that needs more is lost, or should be two. */
const LIMITS = { steps: 300, activeMs: 5 * 3600_000 };

/** Everything that works in workplaces, put together. */
export function createRunParts(deps: RunPartsDeps): { runs: Runs; places: OpenPlaces } {
  const { store, conversations, models, workplaces, now, reportBug } = deps;
  const places = createOpenPlaces(store, workplaces, now, reportBug);
  const runs = createRuns({
    store,
    conversations,
    places,
    approvals: createApprovals(store, now),
    chooseModel: (name) => models.choose(name)[0].id,
    callModel: createCallModel(models, deps.calls),
    recall: (conversation) => conversations.recall(conversation),
    available: workplaces !== undefined,
    takeSnapshot: deps.takeSnapshot,
    rules: deps.rules,
    tools: [...FILE_TOOLS, ...SHELL_TOOLS, createFetchTool(deps.fetch)],
    openServers: (usePlace, notify) => openServers(deps.servers, usePlace, notify),
    limits: deps.limits ?? LIMITS,
    reportBug,
  });
  return { runs, places };
}
