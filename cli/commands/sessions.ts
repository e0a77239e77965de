import type { ConversationSummary } from '../../contract/conversation.ts';
import { callBox, findBox } from '../box/connection.ts';
import { findByPrefix, listConversations } from '../box/conversations.ts';
import { identifyFolder } from '../context/folder.ts';
import type { CliDeps } from '../deps.ts';
import { formatCount, formatSeconds } from '../terminal/format.ts';
import { sanitizeLine } from '../terminal/sanitize.ts';
import { canStyle, createStyle } from '../terminal/style.ts';
import type { Style } from '../terminal/style.ts';
import { createOnWait } from './show-turn.ts';

export interface SessionsOptions {
  json: boolean;
  noColor: boolean;
  /** Only those of this folder. */
  here: boolean;
  limit: number;
  /** The one to delete. */
  delete?: string;
}

const STATES = {
  idle: '',
  running: 'at work',
  waiting: 'waits for your answer',
  interrupted: 'was cut off',
} as const satisfies Record<ConversationSummary['state'], string>;

/** `spoq sessions`: the conversations on the box, the latest first. */
export async function runSessions(deps: CliDeps, options: SessionsOptions): Promise<void> {
  const box = await findBox(deps);
  const onWait = createOnWait(deps, options);
  if (options.delete !== undefined) {
    const { id, title } = await findByPrefix(deps, box, options.delete, onWait);
    await callBox(
      deps,
      box,
      { method: 'DELETE', path: `/api/conversations/${id}`, accept: 'application/json' },
      onWait,
    );
    return deps.stdout.write(
      options.json ? `${JSON.stringify({ deleted: id })}\n` : `Deleted: ${sanitizeLine(title)}\n`,
    );
  }
  const folder = options.here ? await identifyFolder(deps) : undefined;
  const { conversations, more } = await listConversations(deps, box, { folder, limit: options.limit }, onWait);
  if (options.json) {
    return deps.stdout.write(conversations.map((one) => `${JSON.stringify(one)}\n`).join(''));
  }
  if (conversations.length === 0) {
    return deps.stderr.write(`Nothing has been asked${folder === undefined ? '' : ` in ${folder.name}`} yet.\n`);
  }
  const style = createStyle(canStyle(deps.stdout, deps.env, options.noColor));
  await deps.stdout.write(conversations.map((one) => describe(one, deps.now(), style)).join(''));
  if (more) await deps.stderr.write(`There are more: spoq sessions --limit ${options.limit * 2}\n`);
}

/** The id, what it is about, and below it where, when and how it stands: two lines that fit a phone. */
function describe(one: ConversationSummary, now: number, style: Style): string {
  const age = formatSeconds((now - Date.parse(one.updated_at)) / 1000);
  const changed = one.changed_files ?? 0;
  const copy =
    one.workspace === null ? '' : `${formatCount(changed, 'changed file')} ${changed === 1 ? 'waits' : 'wait'}`;
  const about = [one.last_kind, one.folder, `${age} ago`, STATES[one.state], copy].filter((part) => part);
  return `${style.bold(one.id.slice(0, 8))}  ${sanitizeLine(one.title)}\n          ${style.dim(sanitizeLine(about.join(', ')))}\n`;
}
