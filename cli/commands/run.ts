import { randomUUID } from 'node:crypto';
import type { ConversationSummary } from '../../contract/conversation.ts';
import { SpoqError } from '../../contract/errors.ts';
import type { RunRequest } from '../../contract/run.ts';
import { findBox } from '../box/connection.ts';
import type { BoxAccess } from '../box/connection.ts';
import { findByPrefix, findLast } from '../box/conversations.ts';
import { chooseWorkspace } from '../box/workspace.ts';
import { identifyFolder } from '../context/folder.ts';
import { readStdin } from '../context/read-stdin.ts';
import type { CliDeps } from '../deps.ts';
import { execOnBox } from './run-exec.ts';
import { createOnWait, showTurn } from './show-turn.ts';

export interface RunOptions {
  json: boolean;
  noColor: boolean;
  allow: string[];
  deny: string[];
  yes: boolean;
  wait: boolean;
  workspace?: string;
  /** Make the workspace the same as the folder first. */
  sync: boolean;
  model?: string;
  /** True: go on with the last conversation of this folder. The beginning of an id: with that one. */
  continue: boolean | string;
}

/** As long as `spoq ask` looks for something on an open pipe. */
const PATIENCE_MS = 3000;

/** `spoq run "task"`: lets the agent work in a copy of the workspace; `spoq run -- cmd`: runs a program there. Returns the exit code. */
export async function runRun(
  deps: CliDeps,
  words: string[],
  argv: string[] | undefined,
  options: RunOptions,
): Promise<number> {
  const task = words.join(' ').trim();
  if (task === '' && argv === undefined) {
    throw new SpoqError('invalid_request', {
      detail: 'There is nothing to do.',
      next: 'Say what: spoq run "fix the failing test", or spoq run -- npm test.',
    });
  }
  if (task !== '' && argv !== undefined) {
    throw new SpoqError('invalid_request', {
      detail: 'There is a task, and a program behind --.',
      next: 'Give one of them.',
    });
  }
  const [box, folder] = await Promise.all([findBox(deps), identifyFolder(deps)]);
  const conversation = await findConversation(deps, box, options);
  // A conversation with a copy goes on in that, whatever has changed here.
  const copy = conversation?.workspace ?? undefined;
  const place =
    copy === undefined || options.workspace !== undefined
      ? await chooseWorkspace(deps, box, options)
      : { workspace: copy };
  const common = {
    ...place,
    request: randomUUID(),
    folder,
    ...(conversation === undefined ? {} : { conversation: conversation.id }),
  };
  if (argv !== undefined) return execOnBox(deps, box, { ...common, argv }, options);
  const stdin = await readStdin(deps, { required: false, patienceMs: PATIENCE_MS });
  const request: RunRequest = {
    ...common,
    task,
    allow: options.allow,
    deny: options.deny,
    ...(options.model === undefined ? {} : { model: options.model }),
    ...(stdin === undefined ? {} : { stdin }),
  };
  await showTurn(
    deps,
    box,
    { path: '/api/run', body: JSON.stringify(request) },
    {
      ...options,
      questions: false,
      waiting: `Working on ${box.on_box ? 'this box' : box.url.hostname}…`,
      kept: 'What it has done is kept on the box. Look: spoq diff. Go on: spoq run -c "…". Drop: spoq discard.',
    },
  );
  return 0;
}

async function findConversation(
  deps: CliDeps,
  box: BoxAccess,
  options: RunOptions,
): Promise<ConversationSummary | undefined> {
  if (options.continue === false) return undefined;
  const onWait = createOnWait(deps, options);
  if (options.continue !== true) return findByPrefix(deps, box, options.continue, onWait);
  return findLast(deps, box, await identifyFolder(deps), onWait);
}
