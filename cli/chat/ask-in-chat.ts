import type { ConversationEvent } from '../../contract/conversation.ts';
import { runAsk } from '../commands/ask.ts';
import type { AskOptions } from '../commands/ask.ts';
import { DEFAULT_BUDGET } from '../context/budget.ts';
import type { CliDeps } from '../deps.ts';
import type { Chat } from './chat.ts';
import type { Prompt } from './prompt.ts';

type Handlers = {
  [Type in ConversationEvent['type']]?: (
    chat: Chat,
    event: Extract<ConversationEvent, { type: Type }>,
  ) => void | Promise<void>;
};

/** What events mean for the conversation in the terminal, besides being printed. The next is read when this one is settled. */
const HANDLERS: Handlers = {
  start(chat, event) {
    chat.conversation = event.conversation;
  },
};

/** Asks as `spoq ask` does, with the same files, and goes on with the conversation. What the box has not got yet can be sent again. */
export async function askInChat(deps: CliDeps, chat: Chat, prompt: Prompt, question: string): Promise<void> {
  chat.question = question;
  let isKnown = false;
  const onEvent = (event: ConversationEvent): void | Promise<void> => {
    isKnown = true;
    return handle(chat, event);
  };
  try {
    await runAsk(deps, [question], { ...createAskOptions(chat), onEvent });
  } catch (error) {
    if (!isKnown) prompt.prefill(question);
    throw error;
  }
}

/** What would be sent with a question, as `spoq ask --dry-run` lists it; without one, too. */
export function listFiles(deps: CliDeps, chat: Chat, question: string): Promise<void> {
  return runAsk(deps, [question, '?'], { ...createAskOptions(chat), dryRun: true });
}

function createAskOptions(chat: Chat): AskOptions {
  return {
    json: false,
    noColor: chat.noColor,
    dryRun: false,
    budget: DEFAULT_BUDGET,
    allow: [],
    stdin: false,
    repo: true,
    continue: chat.conversation ?? false,
    ...(chat.model === undefined ? {} : { model: chat.model }),
  };
}

function handle<Type extends ConversationEvent['type']>(
  chat: Chat,
  event: Extract<ConversationEvent, { type: Type }>,
): void | Promise<void> {
  return HANDLERS[event.type as Type]?.(chat, event);
}
