import type { ConversationSummary } from '../../contract/conversation.ts';
import { findBox } from '../box/connection.ts';
import type { BoxAccess } from '../box/connection.ts';
import { findByPrefix, findLast } from '../box/conversations.ts';
import { identifyFolder } from '../context/folder.ts';
import type { CliDeps } from '../deps.ts';
import { createOnWait, showTurn } from './show-turn.ts';

interface ReadOptions {
  json: boolean;
  noColor: boolean;
}

/** Prints a conversation from its beginning, and goes along with it. Without an id, the last one of this folder. Throws `conversation_unknown`. */
export async function readConversation(
  deps: CliDeps,
  id: string | undefined,
  options: ReadOptions,
): Promise<ConversationSummary> {
  const box = await findBox(deps);
  const onWait = createOnWait(deps, options);
  const found =
    id === undefined
      ? await findLast(deps, box, await identifyFolder(deps), onWait)
      : await findByPrefix(deps, box, id, onWait);
  await watchConversation(deps, box, found, { ...options, from: 1 });
  return found;
}

/** Prints a conversation from a turn on, and goes along with it. Ctrl-C leaves it at work. */
export async function watchConversation(
  deps: CliDeps,
  box: BoxAccess,
  found: ConversationSummary,
  options: ReadOptions & { from: number },
): Promise<void> {
  const beginning = { conversation: found.id, from: options.from, turn: found.turns };
  try {
    await showTurn(deps, box, beginning, { ...options, questions: true, detach: true });
  } catch (error) {
    if (deps.signal.aborted && !options.json) {
      await deps.stderr.write(`It goes on without you: spoq attach ${found.id.slice(0, 8)}\n`);
    }
    throw error;
  }
}
