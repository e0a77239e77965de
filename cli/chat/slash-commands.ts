import { SpoqError } from '../../contract/errors.ts';
import { readConversation } from '../commands/read-conversation.ts';
import { runSessions } from '../commands/sessions.ts';
import { runStatus } from '../commands/status.ts';
import type { CliDeps } from '../deps.ts';
import { fitOutputs } from '../terminal/fit.ts';
import { listFiles } from './ask-in-chat.ts';
import type { Chat } from './chat.ts';
import { findNearest } from './nearest.ts';

export interface SlashCommand {
  /** What may follow its name. */
  argument?: string;
  about: string;
  run(deps: CliDeps, chat: Chat, argument: string): Promise<'leave' | void>;
}

const SESSIONS_SHOWN = 10;

export const SLASH_COMMANDS: Record<string, SlashCommand> = {
  help: {
    about: 'show this',
    run: (deps) => deps.stderr.write(HELP),
  },
  new: {
    about: 'begin another conversation',
    run(deps, chat) {
      chat.conversation = undefined;
      return deps.stderr.write('What you ask next begins another conversation.\n');
    },
  },
  sessions: {
    about: 'list the last conversations',
    run: (deps, chat) =>
      runSessions(fitOutputs(deps), { json: false, noColor: chat.noColor, here: false, limit: SESSIONS_SHOWN }),
  },
  resume: {
    argument: '[id]',
    about: 'read another one, and go on with it; without an id, the last one of this folder',
    async run(deps, chat, id) {
      const options = { json: false, noColor: chat.noColor };
      chat.conversation = (await readConversation(deps, id === '' ? undefined : id, options)).id;
    },
  },
  model: {
    argument: '[name]',
    about: "ask this model from now on; `default` for the box's own",
    run(deps, chat, name) {
      if (name !== '') chat.model = name === 'default' ? undefined : name;
      return deps.stderr.write(
        chat.model === undefined ? "The box's own model answers.\n" : `${chat.model} is asked from now on.\n`,
      );
    },
  },
  files: {
    argument: '[text]',
    about: 'list what would be sent with this question, or the last one',
    run: (deps, chat, question) => listFiles(deps, chat, question || (chat.question ?? '')),
  },
  status: {
    about: 'show how your box is',
    run: (deps, chat) => runStatus(fitOutputs(deps), { json: false, noColor: chat.noColor }),
  },
  quit: {
    about: 'leave; the conversation is kept on your box',
    run: async () => 'leave' as const,
  },
};

const HELP = `Commands:
${Object.entries(SLASH_COMMANDS)
  .map(([name, { argument = '', about }]) => `  ${`/${name} ${argument}`.padEnd(15)}${about}\n`)
  .join('')}
Keys:
  Enter          ask
  \\ and Enter    a new line; so do Alt-Enter and Ctrl-J, and what is pasted keeps its own
  Up, Down       what was typed before
  Esc, Ctrl-C    stop an answer, on the box as well
  Ctrl-C         drop what is typed; Up brings it back
  Ctrl-D         leave

@path in a question sends that file. What else goes along: /files
`;

/**
 * What a text that begins with a slash calls; undefined for a question, like one that begins with a path. Throws `invalid_request` for a
 * command that isn't there.
 */
export function parseSlash(text: string): { run(deps: CliDeps, chat: Chat): Promise<'leave' | void> } | undefined {
  const [, name = '', argument = ''] = /^\/([\w-]*)(?:\s+([\s\S]*))?$/.exec(text) ?? [];
  if (!text.startsWith('/') || (name === '' && text !== '/')) return undefined;
  const command = Object.hasOwn(SLASH_COMMANDS, name) ? SLASH_COMMANDS[name] : undefined;
  if (command !== undefined) return { run: (deps, chat) => command.run(deps, chat, argument.trim()) };
  const nearest = findNearest(name, Object.keys(SLASH_COMMANDS));
  throw new SpoqError('invalid_request', {
    detail: `There is no command /${name}.`,
    next: nearest === undefined ? 'See /help.' : `Did you mean /${nearest}? See /help.`,
  });
}
