import { ConversationList } from '../../contract/conversation.ts';
import type { ConversationSummary, Folder } from '../../contract/conversation.ts';
import { SpoqError } from '../../contract/errors.ts';
import type { CliDeps } from '../deps.ts';
import type { BoxAccess } from './connection.ts';
import { fetchJson } from './fetch-json.ts';
import type { OnWait } from './patience.ts';

/** As many as the box tells at once. */
const MOST = 200;

/** The conversations of the box, the one that changed last first; with a folder, only those of it. */
export function listConversations(
  deps: CliDeps,
  box: BoxAccess,
  options: { folder?: Folder | undefined; limit?: number },
  onWait: OnWait,
): Promise<ConversationList> {
  const query = new URLSearchParams({ limit: String(options.limit ?? MOST) });
  if (options.folder !== undefined) query.set('folder', options.folder.key);
  return fetchJson(deps, box, { method: 'GET', path: `/api/conversations?${query}` }, ConversationList, onWait);
}

/** The last conversation of a folder, or of all without one. Throws `conversation_unknown`. */
export async function findLast(
  deps: CliDeps,
  box: BoxAccess,
  folder: Folder | undefined,
  onWait: OnWait,
): Promise<ConversationSummary> {
  const [last] = (await listConversations(deps, box, { folder, limit: 1 }, onWait)).conversations;
  if (last !== undefined) return last;
  throw new SpoqError('conversation_unknown', {
    detail: `Nothing has been asked${folder === undefined ? '' : ` in ${folder.name}`} yet.`,
    next: 'Begin one with `spoq ask "…"`; `spoq sessions` lists those of other folders.',
  });
}

/** The conversation whose id begins with `id`. Throws `conversation_unknown`, also when more than one does. */
export async function findByPrefix(
  deps: CliDeps,
  box: BoxAccess,
  id: string,
  onWait: OnWait,
): Promise<ConversationSummary> {
  const { conversations } = await listConversations(deps, box, {}, onWait);
  const [found, other] = conversations.filter((one) => one.id.startsWith(id.toLowerCase()));
  if (found !== undefined && other === undefined) return found;
  throw new SpoqError('conversation_unknown', {
    detail:
      found === undefined ? `No conversation begins with ${id}.` : `More than one conversation begins with ${id}.`,
  });
}
