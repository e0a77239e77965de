import Koa from 'koa';
import type { Logger } from 'pino';
import { createLocalGuard } from './guards/local-guard.ts';
import { createTokenGuard } from './guards/token-guard.ts';
import type { Budget } from './budget/budget.ts';
import type { FindCertificate } from './certificate.ts';
import type { FindVersions } from './system.ts';
import type { KeyRing } from './keys/key-ring.ts';
import type { RetryPolicy } from './model/call-model.ts';
import type { Models } from './model/models.ts';
import type { Files } from './files/client.ts';
import { createProblemWriter, describeBug } from './problems.ts';
import type { Reachability } from './reachability.ts';
import { createRequestLog } from './request-log.ts';
import { streamAnswer } from './routes/ask.ts';
import { createBudgetRoutes } from './routes/budget.ts';
import { createConversationRoutes } from './routes/conversations.ts';
import { showHealth } from './routes/health.ts';
import { createKeyRoutes } from './routes/keys.ts';
import { createModelRoutes } from './routes/models.ts';
import { createRoutes } from './routes/routes.ts';
import type { RouteTable } from './routes/routes.ts';
import { createWorkspaceRoutes } from './routes/workspaces.ts';
import { createRunRoutes } from './routes/runs.ts';
import { showStatus } from './routes/status.ts';
import type { Conversations } from './conversations/conversations.ts';
import { restarting } from './conversations/places.ts';
import type { OpenPlaces } from './run/open-places.ts';
import type { Runs } from './run/runs.ts';
import type { VerifyToken } from './token-verifier.ts';
import type { ListenerName, Middleware, RequestState } from './web.ts';

export interface ConductorDeps {
  /** The box's host name. */
  hostname: string;
  version: string;
  verifyToken: VerifyToken;
  models: Models;
  budget: Budget;
  keys: KeyRing;
  /** The way to the owner's files. */
  files: Files;
  log: Logger;
  reachability: Reachability;
  findCertificate: FindCertificate;
  findVersions: FindVersions;
  /** Whether a run is open on this box. Never when left out. */
  hasRuns?: () => boolean;
  conversations: Conversations;
  runs: Runs;
  places: OpenPlaces;
  /** Overrides for tests and for a machine that is small. */
  limits?: { heartbeatMs?: number; readerMs?: number; retryPolicy?: RetryPolicy };
}

/** The two applications of one conductor. Which one a request came to decides what it must bring, nothing else does. */
export interface Conductor {
  /** Method and path of all that is there. */
  routes: string[];
  /** For 127.0.0.1: no token, but nothing that came from elsewhere. */
  local: Koa<RequestState>;
  /** For the Unix socket behind the front door: a token, always. */
  remote: Koa<RequestState>;
  /** Refuses whatever comes from now on (503, `Retry-After`) and lets answers end, at most `graceMs` long. */
  stop(graceMs: number): Promise<void>;
}

/** Puts a conductor together; it listens to nothing yet. */
export function createConductor(deps: ConductorDeps): Conductor {
  const { log, models, budget, keys, hostname, version, reachability, conversations, runs, places } = deps;
  const stream = { heartbeatMs: deps.limits?.heartbeatMs, readerMs: deps.limits?.readerMs };
  let stopping = false;
  // After the guards: who has no token is told so, now as ever.
  const gate: Middleware = (ctx, next) => {
    if (!stopping) return next();
    ctx.set('connection', 'close');
    throw restarting();
  };
  const table: RouteTable = {
    'GET /health': showHealth(version),
    'GET /api/status': showStatus({
      hostname,
      version,
      findModel: () => models.standard,
      conversations,
      budget,
      findCertificate: deps.findCertificate,
      findVersions: deps.findVersions,
      reachability,
    }),
    'POST /api/ask': streamAnswer({
      ...stream,
      conversations,
      models,
      budget,
      keys,
      reachability,
      reportBug: (error, requestId) => log.error({ request_id: requestId, ...describeBug(error) }, 'bug'),
      report: (requestId, notes) => log.info({ request_id: requestId, ...notes }, 'answer'),
      retryPolicy: deps.limits?.retryPolicy,
    }),
    ...createBudgetRoutes({ budget, conversations }),
    ...createModelRoutes({ models }),
    ...createKeyRoutes({ keys }),
    ...createWorkspaceRoutes(deps.files),
    ...createConversationRoutes({ conversations, removePlace: (id) => places.remove(id), ...stream }),
    ...createRunRoutes({ conversations, runs, places, ...stream }),
  };
  const routes = createRoutes(table);
  return {
    routes: Object.keys(table),
    local: createListenerApp(log, 'local', createLocalGuard({ hasRuns: deps.hasRuns ?? (() => false) }), [
      gate,
      ...routes,
    ]),
    remote: createListenerApp(log, 'remote', createTokenGuard(deps.verifyToken), [gate, ...routes]),
    async stop(graceMs) {
      stopping = true;
      await conversations.stop(graceMs);
      await places.closeAll();
    },
  };
}

function createListenerApp(
  log: Logger,
  name: ListenerName,
  guard: Middleware,
  routes: Middleware[],
): Koa<RequestState> {
  const app = new Koa<RequestState>();
  app.use(createRequestLog(log, name));
  app.use(createProblemWriter(log));
  app.use(guard);
  for (const route of routes) app.use(route);
  // A reader that went away mid-answer ends here; the request's log line says so with `complete: false`.
  app.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'ERR_STREAM_PREMATURE_CLOSE' || error.code === 'ECONNRESET' || error.code === 'EPIPE') return;
    log.error(describeBug(error), 'bug');
  });
  return app;
}
