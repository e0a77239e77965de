import { randomUUID } from 'node:crypto';
import type { ConversationSummary } from '../../contract/conversation.ts';
import { SpoqError } from '../../contract/errors.ts';
import { findBox } from '../box/connection.ts';
import type { BoxAccess } from '../box/connection.ts';
import { findByPrefix, findLast, listConversations } from '../box/conversations.ts';
import type { OnWait } from '../box/patience.ts';
import { identifyFolder } from '../context/folder.ts';
import type { CliDeps } from '../deps.ts';
import { createOnWait, showTurn } from './show-turn.ts';

/** How a turn ends that the box itself has cut off. */
const CUT: ReadonlySet<string> = new Set(['turn_interrupted', 'box_restarting']);

export interface ResumeOptions {
  json: boolean;
  noColor: boolean;
}

/**
 * `spoq resume`: prints a conversation from its beginning, each event once, and goes along with it while something is at work; a run that was cut off goes on. Without an id,
 * the last one of this folder. Ctrl-C leaves it at work.
 */
export async function runResume(deps: CliDeps, id: string | undefined, options: ResumeOptions): Promise<void> {
  const box = await findBox(deps);
  const onWait = createOnWait(deps, options);
  const found =
    id === undefined
      ? await findLast(deps, box, await identifyFolder(deps), onWait)
      : await findByPrefix(deps, box, id, onWait);
  try {
    await watch(deps, box, found, { ...options, from: 1 });
  } catch (error) {
    const isCut = found.last_kind === 'run' && found.state === 'interrupted';
    if (!isCut || !(error instanceof SpoqError) || !CUT.has(error.code)) throw error;
    // It was shown to where it was cut off: from there it goes on.
    if (!options.json) await deps.stderr.write('It was cut off here, and goes on now.\n');
    const path = `/api/conversations/${found.id}/continue`;
    const beginning = { path, body: JSON.stringify({ request: randomUUID() }) };
    await showTurn(deps, box, beginning, { ...options, questions: false });
  }
  if (!options.json) await deps.stderr.write(`Go on with: spoq ask --in ${found.id.slice(0, 8)} "…"\n`);
}

/** `spoq attach`: goes along with what is at work now, from the beginning of that turn. Ctrl-C leaves it at work. */
export async function runAttach(deps: CliDeps, id: string | undefined, options: ResumeOptions): Promise<void> {
  const box = await findBox(deps);
  const onWait = createOnWait(deps, options);
  const found = id === undefined ? await findWorking(deps, box, onWait) : await findByPrefix(deps, box, id, onWait);
  return watch(deps, box, found, { ...options, from: found.turns });
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

async function watch(
  deps: CliDeps,
  box: BoxAccess,
  found: ConversationSummary,
  options: ResumeOptions & { from: number },
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
