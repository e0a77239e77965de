import type { ConversationSummary } from '../../contract/conversation.ts';
import { SpoqError } from '../../contract/errors.ts';
import { findBox } from '../box/connection.ts';
import type { BoxAccess } from '../box/connection.ts';
import { findByPrefix, listConversations } from '../box/conversations.ts';
import type { OnWait } from '../box/patience.ts';
import type { CliDeps } from '../deps.ts';
import { isConversational } from '../terminal/streams.ts';
import { readConversation, watchConversation } from './read-conversation.ts';
import { createOnWait } from './show-turn.ts';

export interface ResumeOptions {
  json: boolean;
  noColor: boolean;
}

/**
 * `spoq resume`: prints a conversation from its beginning, each event once, and goes along with it while something is at work; a run that was
 * cut off goes on. Without an id, the last one of this folder. Ctrl-C leaves it at work. On a terminal it ends in a conversation.
 */
export async function runResume(deps: CliDeps, id: string | undefined, options: ResumeOptions): Promise<void> {
  const found = await readConversation(deps, id, options);
  if (options.json) return;
  if (isConversational(deps)) {
    const { runChat } = await import('../chat/chat.ts');
    return runChat(deps, { ...options, conversation: found });
  }
  await deps.stderr.write(`Go on with: spoq ask --in ${found.id.slice(0, 8)} "…"\n`);
}

/** `spoq attach`: goes along with what is at work now, from the beginning of that turn. Ctrl-C leaves it at work. */
export async function runAttach(deps: CliDeps, id: string | undefined, options: ResumeOptions): Promise<void> {
  const box = await findBox(deps);
  const onWait = createOnWait(deps, options);
  const found = id === undefined ? await findWorking(deps, box, onWait) : await findByPrefix(deps, box, id, onWait);
  return watchConversation(deps, box, found, { ...options, from: found.turns });
}

/** What is at work, the latest first. Throws `conversation_unknown` when nothing is. */
async function findWorking(deps: CliDeps, box: BoxAccess, onWait: OnWait): Promise<ConversationSummary> {
  const { conversations } = await listConversations(deps, box, {}, onWait);
  const found = conversations.find(({ state }) => state === 'running' || state === 'waiting');
  if (found !== undefined) return found;
  throw new SpoqError('conversation_unknown', {
    detail: 'Nothing is at work on the box.',
    next: 'Read what was said with `spoq resume`, or see `spoq sessions`.',
  });
}
