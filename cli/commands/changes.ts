import type { ConversationSummary } from '../../contract/conversation.ts';
import { SpoqError } from '../../contract/errors.ts';
import { ChangeList, Discarded } from '../../contract/run.ts';
import { applyChanges } from '../apply/apply.ts';
import type { Applied } from '../apply/apply.ts';
import { findBox } from '../box/connection.ts';
import type { BoxAccess } from '../box/connection.ts';
import { findByPrefix, listConversations } from '../box/conversations.ts';
import { findWorkspaceFolder } from '../box/workspace.ts';
import { fetchJson } from '../box/fetch-json.ts';
import { readWhole } from '../box/read-whole.ts';
import type { OnWait } from '../box/patience.ts';
import { identifyFolder } from '../context/folder.ts';
import type { CliDeps } from '../deps.ts';
import { sanitizeText, sanitizeLine } from '../terminal/sanitize.ts';
import { canStyle, createStyle } from '../terminal/style.ts';
import { createOnWait } from './show-turn.ts';

export interface ChangesOptions {
  json: boolean;
  noColor: boolean;
}

interface Found {
  box: BoxAccess;
  conversation: ConversationSummary;
  onWait: OnWait;
}

/** `spoq diff`: what a run has changed, as a patch; a list of the files with `--json`. */
export async function runDiff(deps: CliDeps, id: string | undefined, options: ChangesOptions): Promise<void> {
  const { box, conversation, onWait } = await find(deps, id, options);
  const path = `/api/conversations/${conversation.id}`;
  if (options.json) {
    const changes = await fetchJson(deps, box, { method: 'GET', path: `${path}/changes` }, ChangeList, onWait);
    return deps.stdout.write(`${JSON.stringify(changes)}\n`);
  }
  const request = { method: 'GET', path: `${path}/diff`, accept: 'text/x-diff' } as const;
  const patch = await readWhole(deps, box, request, onWait);
  const style = createStyle(canStyle(deps.stdout, deps.env, options.noColor));
  // Into a file or a pipe it goes as it is: `git apply` must get every byte.
  if (!deps.stdout.isTTY) return deps.writeBytes('stdout', patch);
  const text = sanitizeText(patch.toString('utf8')).replace(/\n$/, '');
  if (text === '') return;
  for (const line of text.split('\n')) await deps.stdout.write(`${colour(line, style)}\n`);
}

/** `spoq apply`: takes over what a run has changed, without losing what was changed here meanwhile. */
export async function runApply(
  deps: CliDeps,
  id: string | undefined,
  options: ChangesOptions & { keep: boolean },
): Promise<void> {
  const { box, conversation, onWait } = await find(deps, id, options);
  const { path: root } = findWorkspaceFolder(deps, box);
  const path = `/api/conversations/${conversation.id}`;
  const changes = await fetchJson(deps, box, { method: 'GET', path: `${path}/changes` }, ChangeList, onWait);
  const readObject = (object: string): Promise<Uint8Array> => {
    const request = { method: 'GET', path: `${path}/objects/${object}`, accept: 'application/octet-stream' } as const;
    return readWhole(deps, box, request, onWait);
  };
  const applied = await applyChanges(deps, root, changes.files, readObject);
  const conflicts = applied.filter(({ action }) => action === 'conflict');
  const isDone = conflicts.length === 0 && !options.keep;
  if (!options.json) await report(deps, applied, options);
  if (isDone) await discard(deps, { box, conversation, onWait });
  if (options.json) await deps.stdout.write(`${JSON.stringify({ files: applied, discarded: isDone })}\n`);
  if (conflicts.length > 0) {
    throw new SpoqError('changes_conflict', {
      detail: conflicts
        .map((one) => `${one.path}: ${one.reason}${one.kept === undefined ? '' : ` - the box's is ${one.kept}`}`)
        .join('\n'),
      next: 'Nothing of yours was overwritten. Put the two together, then `spoq discard`; `spoq apply` again takes what is left.',
    });
  }
}

/** `spoq discard`: removes the copy on the box, and what was changed in it. */
export async function runDiscard(
  deps: CliDeps,
  id: string | undefined,
  options: ChangesOptions & { yes: boolean },
): Promise<void> {
  const found = await find(deps, id, options);
  const files = found.conversation.changed_files ?? 0;
  const what = `${files} changed ${files === 1 ? 'file' : 'files'} of "${sanitizeLine(found.conversation.title)}"`;
  if (files > 0 && !options.yes) {
    if (!deps.stdin.isTTY || options.json) {
      throw new SpoqError('invalid_request', { detail: `This drops ${what}.`, next: 'Add --yes if you mean it.' });
    }
    if (!(await deps.confirm(`Drop ${what}?`))) return deps.stdout.write('Nothing was dropped.\n');
  }
  const discarded = await discard(deps, found);
  if (options.json)
    return deps.stdout.write(`${JSON.stringify({ discarded: discarded ? found.conversation.id : null })}\n`);
  await deps.stdout.write(`Dropped: ${what}. What was said is kept.\n`);
}

async function discard(deps: CliDeps, { box, conversation, onWait }: Found): Promise<boolean> {
  const path = `/api/conversations/${conversation.id}/discard`;
  return (await fetchJson(deps, box, { method: 'POST', path, repeatable: true }, Discarded, onWait)).discarded;
}

/** The conversation that is named, or the last one of this folder that has changed something. */
async function find(deps: CliDeps, id: string | undefined, options: ChangesOptions): Promise<Found> {
  const box = await findBox(deps);
  const onWait = createOnWait(deps, options);
  if (id !== undefined) return { box, conversation: await findByPrefix(deps, box, id, onWait), onWait };
  const folder = await identifyFolder(deps);
  const { conversations } = await listConversations(deps, box, { folder }, onWait);
  const conversation = conversations.find(({ workspace }) => workspace !== null);
  if (conversation !== undefined) return { box, conversation, onWait };
  throw new SpoqError('workplace_unknown', {
    detail: `No run of ${folder.name} has changes that wait.`,
    next: 'Begin one with `spoq run`, or name one of `spoq sessions`.',
  });
}

const MARKS = {
  take: 'taken',
  remove: 'removed',
  merge: 'put together with yours',
  same: 'there already',
  conflict: 'not taken',
};

async function report(deps: CliDeps, applied: Applied[], options: ChangesOptions): Promise<void> {
  const style = createStyle(canStyle(deps.stdout, deps.env, options.noColor));
  if (applied.length === 0) return deps.stdout.write('There is nothing to take.\n');
  for (const { path, action } of applied) {
    const mark = action === 'conflict' ? style.yellow(MARKS[action]) : style.dim(MARKS[action]);
    await deps.stdout.write(`${sanitizeLine(path)}  ${mark}\n`);
  }
}

function colour(line: string, style: ReturnType<typeof createStyle>): string {
  if (/^(?:diff|index|---|\+\+\+|new file|deleted file|old mode|new mode)/.test(line)) return style.bold(line);
  if (line.startsWith('@@')) return style.dim(line);
  if (line.startsWith('+')) return style.green(line);
  if (line.startsWith('-')) return style.red(line);
  return line;
}
