import type { ConversationSummary } from '../../contract/conversation.ts';
import { SpoqError } from '../../contract/errors.ts';
import { findBox } from '../box/connection.ts';
import type { BoxAccess } from '../box/connection.ts';
import { findLast } from '../box/conversations.ts';
import { createOnWait } from '../commands/show-turn.ts';
import { identifyFolder } from '../context/folder.ts';
import type { CliDeps } from '../deps.ts';
import { describeNotice } from '../terminal/notice.ts';
import { reportError } from '../terminal/report-error.ts';
import { sanitizeLine } from '../terminal/sanitize.ts';
import { isConversational } from '../terminal/streams.ts';
import { canStyle, createStyle } from '../terminal/style.ts';
import { askInChat } from './ask-in-chat.ts';
import { loadHistory } from './history.ts';
import { createPrompt } from './prompt.ts';
import type { Prompt } from './prompt.ts';
import { parseSlash } from './slash-commands.ts';

export interface ChatOptions {
  json: boolean;
  noColor: boolean;
  /** The one to go on with; true for the last one of this folder. */
  conversation?: ConversationSummary | true | undefined;
}

/** A conversation in the terminal while it lasts. */
export interface Chat {
  noColor: boolean;
  /** Undefined until the box has begun one. */
  conversation: string | undefined;
  /** As it was chosen; undefined for the box's own. */
  model: string | undefined;
  /** What was asked last. */
  question: string | undefined;
}

/** `spoq` alone: a conversation in the terminal, until the person leaves. Throws `invalid_request` where there is no terminal. */
export async function runChat(deps: CliDeps, options: ChatOptions): Promise<void> {
  if (options.json || !isConversational(deps)) throw noTerminal();
  const box = await findBox(deps);
  const found = options.conversation === true ? await findHere(deps, box) : options.conversation;
  const chat: Chat = { noColor: options.noColor, conversation: found?.id, model: undefined, question: undefined };
  const style = createStyle(canStyle(deps.stderr, deps.env, options.noColor));
  const say = (text: string): Promise<void> => deps.stderr.write(`${text}\n`);
  const history = await loadHistory(deps, (warning) => say(style.yellow(warning)));
  if (box.notice !== undefined) await say(style.yellow(describeNotice(box.notice)));
  await say(style.dim(describeBeginning(box, found)));
  const prompt = createPrompt(deps, history, options);
  try {
    for (;;) {
      const text = await prompt.ask();
      if (text === undefined) break;
      await history.add(text);
      if ((await answer(deps, chat, prompt, text)) === 'leave') break;
    }
  } finally {
    prompt.close();
  }
  if (chat.conversation !== undefined) await say(style.dim(`Go on with: spoq resume ${chat.conversation.slice(0, 8)}`));
}

/** Nothing that fails ends the conversation, except that the program is stopped. */
async function answer(deps: CliDeps, chat: Chat, prompt: Prompt, text: string): Promise<'leave' | void> {
  try {
    return await prompt.during(async (signal) => {
      const stoppable = { ...deps, signal };
      const command = parseSlash(text);
      if (command === undefined) return askInChat(stoppable, chat, prompt, text);
      return command.run(stoppable, chat);
    });
  } catch (error) {
    deps.signal.throwIfAborted();
    if (error instanceof SpoqError && error.code === 'cancelled') await deps.stderr.write('Interrupted.\n');
    else await reportError(deps, error, { json: false, noColor: chat.noColor });
  }
}

async function findHere(deps: CliDeps, box: BoxAccess): Promise<ConversationSummary> {
  return findLast(deps, box, await identifyFolder(deps), createOnWait(deps, { json: false }));
}

function describeBeginning(box: BoxAccess, found: ConversationSummary | undefined): string {
  const owner = box.username === undefined ? '' : `${sanitizeLine(box.username)}'s box `;
  const place = box.on_box ? 'this box' : `${owner}${box.url.hostname}`;
  const about = found === undefined ? '' : `Going on with ${found.id.slice(0, 8)}: ${sanitizeLine(found.title)}\n`;
  return `${about}A conversation with ${place}. /help shows what there is; Ctrl-D leaves.`;
}

function noTerminal(): SpoqError {
  return new SpoqError('invalid_request', {
    detail: 'A conversation is for a person at a terminal, who types and reads.',
    next: 'Ask single questions: spoq ask "…", then spoq ask -c "…"',
  });
}
