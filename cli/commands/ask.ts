import { randomUUID } from 'node:crypto';
import type { AskRequest } from '../../contract/conductor.ts';
import { RequestId } from '../../contract/conversation.ts';
import type { Folder } from '../../contract/conversation.ts';
import { findBox, openLine } from '../box/connection.ts';
import type { BoxAccess } from '../box/connection.ts';
import { findByPrefix, findLast } from '../box/conversations.ts';
import { identifyFolder } from '../context/folder.ts';
import { prepareQuestion } from '../context/prepare.ts';
import { readSchema } from '../context/schema.ts';
import type { Manifest } from '../context/prepare.ts';
import type { CliDeps } from '../deps.ts';
import { fitOutput } from '../terminal/fit.ts';
import { describeDryRun, describeSending, describeWarnings } from '../terminal/manifest.ts';
import { describeNotice } from '../terminal/notice.ts';
import { canStyle, createStyle } from '../terminal/style.ts';
import { createOnWait, showTurn } from './show-turn.ts';
import type { ShowOptions } from './show-turn.ts';

export interface AskOptions {
  json: boolean;
  noColor: boolean;
  dryRun: boolean;
  /** By name; the box's default when left out. */
  model?: string;
  budget: number;
  allow: string[];
  stdin: boolean;
  repo: boolean;
  /** True: go on with the last conversation of this folder. The beginning of an id: with that one. */
  continue: boolean | string;
  /** A file with the JSON schema that the answer shall have. */
  schema?: string;
  /** Told of each event of the answer. */
  onEvent?: ShowOptions['onEvent'];
}

/** `spoq ask`: asks the box, with files from here, and prints the answer while it is being written. */
export async function runAsk(deps: CliDeps, words: string[], options: AskOptions): Promise<void> {
  const schema = options.schema === undefined ? undefined : await readSchema(options.schema, deps.cwd);
  // The line to the box is opened while the files are looked through. What is wrong with the sign-in is said below.
  const finding = options.dryRun ? undefined : findBox(deps);
  finding?.then((found) => openLine(deps, found)).catch(() => undefined);
  const prepared = await prepareQuestion(deps, {
    words,
    budgetTokens: options.budget,
    allow: options.allow,
    stdin: options.stdin,
    repository: options.repo,
  });
  if (options.dryRun) {
    const { manifest } = prepared;
    if (options.json) return deps.stdout.write(`${JSON.stringify(manifest)}\n`);
    return fitOutput(deps.stdout).write(describeDryRun(manifest));
  }
  const [box, folder] = await Promise.all([finding ?? findBox(deps), identifyFolder(deps)]);
  const conversation = await findConversation(deps, box, folder, options);
  await announce(deps, box, prepared.manifest, options);
  const request: AskRequest = {
    ...prepared.request,
    request: randomUUID(),
    folder,
    ...(options.model === undefined ? {} : { model: options.model }),
    ...(conversation === undefined ? {} : { conversation }),
    ...(schema === undefined ? {} : { schema }),
  };
  return showTurn(
    deps,
    box,
    { path: '/api/ask', body: JSON.stringify(request) },
    {
      ...options,
      questions: false,
      whole: schema !== undefined,
    },
  );
}

async function findConversation(
  deps: CliDeps,
  box: BoxAccess,
  folder: Folder,
  options: AskOptions,
): Promise<string | undefined> {
  if (options.continue === false) return undefined;
  if (RequestId.safeParse(options.continue).success) return String(options.continue);
  const onWait = createOnWait(deps, options);
  const found =
    options.continue === true
      ? await findLast(deps, box, folder, onWait)
      : await findByPrefix(deps, box, options.continue, onWait);
  return found.id;
}

/** Says on stderr what leaves this computer, and to whom, before it does. */
async function announce(deps: CliDeps, box: BoxAccess, manifest: Manifest, options: AskOptions): Promise<void> {
  if (options.json) {
    const { bytes, tokens, withheld, left_out, files } = manifest;
    if (box.notice !== undefined) await deps.stderr.write(`${JSON.stringify({ type: 'notice', ...box.notice })}\n`);
    const line = { type: 'context', files: files.length, bytes, tokens, withheld, left_out: left_out.length };
    return deps.stderr.write(`${JSON.stringify(line)}\n`);
  }
  const style = createStyle(canStyle(deps.stderr, deps.env, options.noColor));
  if (box.notice !== undefined) await deps.stderr.write(`${style.yellow(describeNotice(box.notice))}\n`);
  for (const warning of describeWarnings(manifest)) await deps.stderr.write(`${style.yellow(warning)}\n`);
  return deps.stderr.write(`${style.dim(describeSending(manifest, box))}\n`);
}
