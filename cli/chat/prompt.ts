import { SpoqError } from '../../contract/errors.ts';
import type { CliDeps, Key } from '../deps.ts';
import { canStyle, createStyle } from '../terminal/style.ts';
import { EMPTY, createDraft, goDown, goUp, insert } from './draft.ts';
import type { Draft } from './draft.ts';
import { createEditor, nameKey } from './edits.ts';
import type { History } from './history.ts';
import { createPlainScreen, createScreen } from './screen.ts';

/** Where a person types, for a whole conversation. */
export interface Prompt {
  /** The next that was typed, without what surrounds it; undefined when the person leaves. Throws `cancelled` when the program is stopped. */
  ask(): Promise<string | undefined>;
  /** Puts this before what is typed already. */
  prefill(text: string): void;
  /** Runs something that Escape and Ctrl-C stop, by its signal. What is typed meanwhile stands in the next question. */
  during<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T>;
  close(): void;
}

type Outcome = { text: string } | 'leave';

const LEAVE_HINT = 'Ctrl-C once more leaves, and so does Ctrl-D.\n';

export function createPrompt(
  deps: Pick<CliDeps, 'stderr' | 'env' | 'keyboard' | 'signal'>,
  history: Pick<History, 'entries' | 'remember'>,
  options: { noColor: boolean },
): Prompt {
  const lines = deps.env.TERM === 'dumb';
  const style = createStyle(canStyle(deps.stderr, deps.env, options.noColor));
  const screen = lines ? createPlainScreen(deps.stderr) : createScreen(deps.stderr, style);
  const edit = createEditor();
  let draft = EMPTY;
  let settle: ((outcome: Outcome) => void) | undefined;
  let busy: AbortController | undefined;
  let isPasting = false;
  let isWarned = false;
  let isOver = false;
  let drawing: NodeJS.Immediate | undefined;
  /** Where in what was typed before one is, and what is kept meanwhile. */
  let past: { index: number; kept: Draft } | undefined;

  const change = (next: Draft | undefined): void => {
    if (next === undefined) return;
    draft = next;
    // A paste comes as many keys: they are drawn together.
    if (settle !== undefined) drawing ??= setImmediate(draw);
  };
  const draw = (): void => {
    drawing = undefined;
    if (settle !== undefined) screen.draw(draft);
  };
  const browse = (step: -1 | 1): void => {
    const index = (past?.index ?? history.entries.length) + step;
    if (index < 0 || index > history.entries.length) return;
    const kept = past?.kept ?? draft;
    past = index === history.entries.length ? undefined : { index, kept };
    change(past === undefined ? kept : createDraft(history.entries[index] ?? ''));
  };
  const submit = (): void => {
    if (draft.text.slice(0, draft.cursor).endsWith('\\'))
      return change(insert({ text: cutBefore(draft), cursor: draft.cursor - 1 }, '\n'));
    if (draft.text.trim() === '') return lines ? reopen() : undefined;
    settle?.({ text: draft.text.trim() });
  };
  /** The terminal itself went to the next line. */
  const reopen = (): void => {
    void screen.finish(draft);
    change(draft);
  };
  const interrupt = (): void => {
    if (draft.text === '' && isWarned) return settle?.('leave');
    isWarned = draft.text === '';
    void screen.finish(draft);
    if (lines) void deps.stderr.write('\n');
    if (isWarned) void deps.stderr.write(LEAVE_HINT);
    past = undefined;
    if (draft.text !== '') history.remember(draft.text);
    change(EMPTY);
  };

  const onKey = (key: Key): void => {
    const name = nameKey(key);
    if (name === 'closed') isOver = true;
    if (isPasting || name === 'paste-start') {
      isPasting = name !== 'paste-end';
      return change(insert(draft, name === 'return' || name === 'enter' ? '\n' : key.text));
    }
    if (busy !== undefined && (name === 'escape' || name === 'ctrl+c')) return busy.abort(new SpoqError('cancelled'));
    if (settle === undefined) return name === 'return' ? undefined : change(edit(draft, key));
    if (name !== 'ctrl+c') isWarned &&= name === 'resize';
    switch (name) {
      case 'closed':
        return settle('leave');
      case 'ctrl+c':
        return interrupt();
      case 'ctrl+d':
        return draft.text === '' ? settle('leave') : change(edit(draft, key));
      case 'return':
        return submit();
      case 'enter': // Ctrl-J
      case 'meta+return':
      case 'meta+enter':
        return change(insert(draft, '\n'));
      case 'up':
      case 'ctrl+p':
        return onLine(goUp(draft), -1);
      case 'down':
      case 'ctrl+n':
        return onLine(goDown(draft), 1);
      case 'resize':
        return change(draft);
      default:
        return change(edit(draft, key));
    }
  };
  const onLine = (next: Draft | undefined, step: -1 | 1): void => (next === undefined ? browse(step) : change(next));
  const stop = deps.keyboard.listen(onKey, { lines, pastes: true });

  return {
    async ask() {
      deps.signal.throwIfAborted();
      if (isOver) return undefined;
      const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
      const onStop = (): void => reject(deps.signal.reason);
      deps.signal.addEventListener('abort', onStop);
      settle = resolve;
      screen.draw(draft);
      try {
        const outcome = await promise;
        return outcome === 'leave' ? undefined : outcome.text;
      } finally {
        settle = undefined;
        deps.signal.removeEventListener('abort', onStop);
        await screen.finish(draft);
        [draft, past, isWarned] = [EMPTY, undefined, false];
      }
    },
    prefill(text) {
      draft = createDraft(draft.text === '' ? text : `${text}\n${draft.text}`);
    },
    async during(work) {
      const stopper = new AbortController();
      busy = stopper;
      try {
        return await work(AbortSignal.any([deps.signal, stopper.signal]));
      } finally {
        busy = undefined;
      }
    },
    close: stop,
  };
}

function cutBefore({ text, cursor }: Draft): string {
  return text.slice(0, cursor - 1) + text.slice(cursor);
}
