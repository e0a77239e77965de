import type { Key } from '../deps.ts';
import * as draft from './draft.ts';
import type { Draft } from './draft.ts';

export type Edit = (draft: Draft) => Draft;

/** What keys do to a draft, as in shells; the names are those of node:readline. */
const EDITS: Record<string, Edit> = {
  left: draft.goLeft,
  'ctrl+b': draft.goLeft,
  right: draft.goRight,
  'ctrl+f': draft.goRight,
  'ctrl+left': draft.goWordLeft,
  'meta+left': draft.goWordLeft,
  'meta+b': draft.goWordLeft,
  'ctrl+right': draft.goWordRight,
  'meta+right': draft.goWordRight,
  'meta+f': draft.goWordRight,
  home: draft.goHome,
  'ctrl+a': draft.goHome,
  end: draft.goEnd,
  'ctrl+e': draft.goEnd,
  backspace: draft.deleteBefore,
  'ctrl+h': draft.deleteBefore,
  delete: draft.deleteAfter,
  'ctrl+d': draft.deleteAfter,
};

/** Those whose words Ctrl-Y puts in again. */
const CUTS: Record<string, Edit> = {
  'ctrl+w': draft.deleteWordBefore,
  'meta+backspace': draft.deleteWordBefore,
  'meta+d': draft.deleteWordAfter,
  'ctrl+k': draft.deleteToEnd,
  'ctrl+u': draft.deleteToHome,
};

/** Changes drafts as keys say, and remembers what was cut. Undefined for a key that changes nothing. */
export function createEditor(): (present: Draft, key: Key) => Draft | undefined {
  let removed = '';
  return (present, key) => {
    const name = nameKey(key);
    if (name === 'ctrl+y') return draft.insert(present, removed);
    const cutting = CUTS[name];
    if (cutting !== undefined) {
      const after = cutting(present);
      const length = present.text.length - after.text.length;
      if (length > 0) removed = present.text.slice(after.cursor, after.cursor + length);
      return after;
    }
    const edit = EDITS[name];
    if (edit !== undefined) return edit(present);
    return key.text === '' ? undefined : draft.insert(present, key.text);
  };
}

/** ctrl+a, meta+b, left */
export function nameKey({ name = '', ctrl, meta }: Key): string {
  return `${ctrl ? 'ctrl+' : ''}${meta && name !== 'escape' ? 'meta+' : ''}${name}`;
}
