import { randomUUID } from 'node:crypto';
import { realpath } from 'node:fs/promises';
import type { ConversationSummary, Folder } from '../../contract/conversation.ts';
import { SpoqError } from '../../contract/errors.ts';
import { findBox } from '../box/connection.ts';
import type { BoxAccess } from '../box/connection.ts';
import { findByPrefix, findLast } from '../box/conversations.ts';
import { findProjectRoot, identifyFolder } from '../context/folder.ts';
import type { CliDeps } from '../deps.ts';
import { createOnWait, showTurn } from './show-turn.ts';

/** How a turn ends that the box itself has cut off. */
const CUT: ReadonlySet<string> = new Set(['turn_interrupted', 'box_restarting']);

interface ReadOptions {
  json: boolean;
  noColor: boolean;
}

/** Prints a conversation from its beginning, and goes along with it; a run that was cut off goes on. Without an id, the last one of this folder; at home on the box, of all. Throws `conversation_unknown`. */
export async function readConversation(
  deps: CliDeps,
  id: string | undefined,
  options: ReadOptions,
): Promise<ConversationSummary> {
  const box = await findBox(deps);
  const onWait = createOnWait(deps, options);
  const found =
    id === undefined
      ? await findLast(deps, box, await findOwnFolder(deps, box), onWait)
      : await findByPrefix(deps, box, id, onWait);
  try {
    await watchConversation(deps, box, found, { ...options, from: 1 });
  } catch (error) {
    const isCut = found.last_kind === 'run' && found.state === 'interrupted';
    if (!isCut || !(error instanceof SpoqError) || !CUT.has(error.code)) throw error;
    // It was shown to where it was cut off: from there it goes on.
    if (!options.json) await deps.stderr.write('It was cut off here, and goes on now.\n');
    const path = `/api/conversations/${found.id}/continue`;
    const beginning = { path, body: JSON.stringify({ request: randomUUID() }) };
    await showTurn(deps, box, beginning, { ...options, questions: false });
  }
  return found;
}

/** Who logs in to the box is at home there, in no project: any conversation may be meant, and most began on a laptop. */
async function findOwnFolder(deps: CliDeps, box: BoxAccess): Promise<Folder | undefined> {
  const isHome = box.on_box && (await findProjectRoot(deps.cwd)) === (await realpath(deps.homeFolder));
  return isHome ? undefined : identifyFolder(deps);
}

/** Prints a conversation from a turn on, and goes along with it. Ctrl-C leaves it at work. */
export async function watchConversation(
  deps: CliDeps,
  box: BoxAccess,
  found: ConversationSummary,
  options: ReadOptions & { from: number },
): Promise<void> {
  const beginning = { conversation: found.id, from: options.from, turn: found.turns };
  const isAtWork = found.state === 'running' || found.state === 'waiting';
  const overUntil = isAtWork ? found.turns - 1 : found.turns;
  const kept = `It goes on without you: spoq attach ${found.id.slice(0, 8)}`;
  await showTurn(deps, box, beginning, { ...options, questions: true, detach: true, overUntil, kept });
}
