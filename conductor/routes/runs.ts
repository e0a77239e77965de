import { z } from 'zod';
import { SpoqError } from '../../contract/errors.ts';
import { parseInput } from '../../contract/problem.ts';
import {
  ApprovalAnswer,
  ContinueRequest,
  ExecRequest,
  InputRequest,
  RUN_LIMITS,
  RunRequest,
} from '../../contract/run.ts';
import type { ChangeList } from '../../contract/run.ts';
import type { Begun, Conversations } from '../conversations/conversations.ts';
import { readJsonBody } from '../json-body.ts';
import type { OpenPlaces } from '../run/open-places.ts';
import type { Runs } from '../run/runs.ts';
import { WorkError } from '../workplace/workplace.ts';
import type { Context, Middleware } from '../web.ts';
import { readId } from './conversations.ts';
import type { RouteTable } from './routes.ts';
import { readerSignal, readLastEventId, sendEvents } from './turn-stream.ts';
import type { StreamLimits } from './turn-stream.ts';

export interface RunRouteDeps extends StreamLimits {
  conversations: Conversations;
  runs: Runs;
  places: OpenPlaces;
}

/** An answer, a signal, a size: little. */
const SMALL_BODY_BYTES = 16 * 1024;

/** What works in workplaces, and what came of it. */
export function createRunRoutes(deps: RunRouteDeps): RouteTable {
  const { conversations, runs, places } = deps;
  /** The events of a turn, from where the client has come to. */
  const follow = (ctx: Context, reader: AbortSignal, seen: number, begun: Begun): void => {
    const after = Math.max(begun.after, seen);
    sendEvents(ctx, conversations.follow(begun.conversation, after, reader, begun.number), deps);
  };
  const begin =
    (start: (ctx: Context, body: unknown) => Promise<Begun>): Middleware =>
    async (ctx) => {
      const body = await readJsonBody(ctx, RUN_LIMITS.body_bytes);
      const seen = readLastEventId(ctx);
      const reader = readerSignal(ctx);
      follow(ctx, reader, seen, await start(ctx, body));
    };
  /** A conversation that is there, or `conversation_unknown`. */
  const find = (ctx: Context): string => {
    const id = readId(ctx);
    if (conversations.list({ id, limit: 1 }).conversations.length === 0) throw new SpoqError('conversation_unknown');
    return id;
  };

  return {
    'POST /api/run': begin((ctx, body) => runs.begin(parseInput(RunRequest, body), ctx.state.requestId)),

    'POST /api/exec': begin((ctx, body) => runs.exec(parseInput(ExecRequest, body), ctx.state.requestId)),

    'POST /api/conversations/:id/continue': begin((ctx, body) => {
      const id = find(ctx);
      return runs.continue(id, parseInput(ContinueRequest, body), ctx.state.requestId);
    }),

    /** The first answer counts, from whichever device it comes. */
    'POST /api/conversations/:id/approvals/:approval': async (ctx) => {
      const id = find(ctx);
      const { approval = '' } = ctx['params'] as { approval?: string };
      const { decision, by } = parseInput(ApprovalAnswer, await readJsonBody(ctx, SMALL_BODY_BYTES));
      if (!z.uuid().safeParse(approval).success) throw new SpoqError('approval_unknown');
      await runs.answer(id, approval.toLowerCase(), decision, by ?? 'another device');
      ctx.body = { decision };
    },

    'POST /api/conversations/:id/input': async (ctx) => {
      const id = find(ctx);
      // As base64, with what is around it.
      const body = await readJsonBody(ctx, RUN_LIMITS.input_bytes * 1.5);
      ctx.body = await runs.input(id, parseInput(InputRequest, body));
    },

    'GET /api/conversations/:id/changes': async (ctx) => {
      const id = find(ctx);
      const place = places.find(id);
      if (place === undefined) throw new SpoqError('workplace_unknown');
      const changes = await places.use(id, (open) => open.changes()).catch(throwAsProblem);
      places.note(id, changes.length);
      ctx.body = {
        workspace: place.workspace,
        snapshot: place.snapshot,
        files: changes.map(({ bytes: _bytes, ...change }) => change),
      } satisfies ChangeList;
    },

    'GET /api/conversations/:id/diff': async (ctx) => {
      const id = find(ctx);
      const diff = await places.use(id, (open) => open.diff()).catch(throwAsProblem);
      ctx.type = 'text/x-diff; charset=utf-8';
      ctx.set('cache-control', 'no-store');
      ctx.body = diff;
    },

    /** One content that the list of changes names, byte by byte. */
    'GET /api/conversations/:id/objects/:object': async (ctx) => {
      const id = find(ctx);
      const { object = '' } = ctx['params'] as { object?: string };
      if (!/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(object)) throw new SpoqError('not_found');
      const data = await places.use(id, (open) => open.readObject(object, RUN_LIMITS.file_bytes)).catch(throwAsProblem);
      ctx.type = 'application/octet-stream';
      ctx.set('cache-control', 'no-store');
      ctx.body = Buffer.from(data);
    },

    /** The copy of the workspace goes, and what was changed in it; what was said is kept. */
    'POST /api/conversations/:id/discard': async (ctx) => {
      const id = find(ctx);
      const [found] = conversations.list({ id, limit: 1 }).conversations;
      if (found?.state === 'running' || found?.state === 'waiting') throw new SpoqError('conversation_busy');
      ctx.body = { discarded: await places.remove(id) };
    },
  };
}

/** What a place can't do for who looks at it. */
function throwAsProblem(error: unknown): never {
  if (!(error instanceof WorkError)) throw error;
  if (error.code === 'too_large') {
    throw new SpoqError('output_too_large', {
      detail: error.message,
      next: 'Look at it on the box: `spoq run --in` goes on in the same copy.',
      cause: error,
    });
  }
  if (error.code === 'failed') throw new SpoqError('not_found', { detail: error.message, cause: error });
  throw new SpoqError('workplace_lost', { detail: error.message, cause: error });
}
