import { z } from 'zod';
import { CONVERSATION_LIMITS } from '../../contract/conversation.ts';
import { SpoqError } from '../../contract/errors.ts';
import { parseInput } from '../../contract/problem.ts';
import type { Conversations } from '../conversations/conversations.ts';
import type { Context } from '../web.ts';
import type { RouteTable } from './routes.ts';
import { readerSignal, readLastEventId, sendEvents } from './turn-stream.ts';
import type { StreamLimits } from './turn-stream.ts';

const ListQuery = z.strictObject({
  folder: z.string().max(CONVERSATION_LIMITS.folder_chars).optional(),
  limit: z.coerce.number().int().min(1).max(CONVERSATION_LIMITS.listed).default(20),
  before: z.uuid().optional(),
});

export interface ConversationRouteDeps extends StreamLimits {
  conversations: Conversations;
  /** Removes the copy of a workspace that a conversation works in, if it has one. */
  removePlace(conversation: string): Promise<unknown>;
}

/** What can be done with conversations that are there, besides going on with them. */
export function createConversationRoutes(deps: ConversationRouteDeps): RouteTable {
  const { conversations } = deps;
  return {
    /** The latest first. */
    'GET /api/conversations': (ctx) => {
      ctx.body = conversations.list(parseInput(ListQuery, { ...ctx.query }));
    },

    'GET /api/conversations/:id': (ctx) => {
      const [found] = conversations.list({ id: readId(ctx), limit: 1 }).conversations;
      if (found === undefined) throw new SpoqError('conversation_unknown');
      ctx.body = found;
    },

    /**
     * All that comes after `Last-Event-ID`, then what happens, without an end; with `?turn=`, to the end
     * of that turn.
     */
    'GET /api/conversations/:id/events': (ctx) => {
      const id = readId(ctx);
      const { turn } = parseInput(z.strictObject({ turn: z.coerce.number().int().min(1).optional() }), {
        ...ctx.query,
      });
      const [found] = conversations.list({ id, limit: 1 }).conversations;
      if (found === undefined) throw new SpoqError('conversation_unknown');
      if (turn !== undefined && turn > found.turns) {
        throw new SpoqError('invalid_request', {
          detail: `The conversation has ${found.turns} turns.`,
          faults: [{ field: 'turn', message: 'there is no such turn' }],
        });
      }
      sendEvents(ctx, conversations.follow(id, readLastEventId(ctx), readerSignal(ctx), turn), deps);
    },

    /** Ends what is at work in it, and answers when it has ended: the next question may follow. Asked again, there is nothing to end. */
    'POST /api/conversations/:id/interrupt': async (ctx) => {
      const id = readId(ctx);
      if (conversations.list({ id, limit: 1 }).conversations.length === 0) throw new SpoqError('conversation_unknown');
      const reason = new SpoqError('cancelled', { next: 'What was said is kept: `spoq resume` goes on from here.' });
      ctx.body = { interrupted: await conversations.interrupt(id, reason) };
    },

    'DELETE /api/conversations/:id': async (ctx) => {
      const id = readId(ctx);
      const [found] = conversations.list({ id, limit: 1 }).conversations;
      if (found?.state === 'running' || found?.state === 'waiting') throw new SpoqError('conversation_busy');
      // First what lies on the disk: a conversation without it can be deleted again, the other way round it would lie there for ever.
      await deps.removePlace(id);
      conversations.remove(id);
      ctx.status = 204;
    },
  };
}

/** Anything that isn't an id can't be one of ours. */
export function readId(ctx: Context): string {
  const { id } = ctx['params'] as { id: string };
  if (z.uuid().safeParse(id).success) return id.toLowerCase();
  throw new SpoqError('conversation_unknown');
}
