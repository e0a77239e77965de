/** A file that was sent along with a question. */
export interface SentFile {
  path: string;
  content: string;
}

/** What a prompt holds, as far as a script can tell: files, and the words around them. */
export interface ReadPrompt {
  question: string;
  files: SentFile[];
}

/**
 * `<file path="src/a.ts">…</file>`, also `name=`, also `<document path=…>`, and `<stdin>`: the form that model vendors
 * recommend. Tag names may end in a mark, `<file-1a2b path=…>`, so that what is inside cannot close them.
 */
const TAGGED =
  /<((?:file|document|stdin)(?:-\w+)?)(?:\s[^>]*?\b(?:path|name)="([^"]+)"[^>]*)?>\r?\n?([\s\S]*?)\r?\n?<\/\1>/g;

/** A heading or a line with a path on it, then a fenced block: `### src/a.ts`, `File: src/a.ts`, `` `src/a.ts`: ``. */
const FENCED =
  /^(?:#{1,6} +|(?:File|Path): *)?`?([\w@.-][\w@./ -]*\.\w{1,12}|[\w@.-]+\/[\w@./-]+)`?:?[ \t]*\r?\n+(`{3,})[^\n]*\r?\n([\s\S]*?)\r?\n?\2[ \t]*$/gm;

/** Tags that wrap no file but only name a part of the prompt: `<question>`, `<files>`, `<context>`… */
const WRAPPERS = /<\/?(?:question|files|documents|context|input|project)\b[^>]*>/g;

/** Finds the files in `text` and takes what is left for the question. Never fails: no file found means all is question. */
export function readPrompt(text: string): ReadPrompt {
  const files: SentFile[] = [];
  const withoutTags = text.replace(TAGGED, (_whole, _tag: string, path: string | undefined, content: string) => {
    files.push({ path: path ?? 'standard input', content });
    return '\n';
  });
  const rest = withoutTags.replace(FENCED, (_whole, path: string, _fence: string, content: string) => {
    files.push({ path, content });
    return '\n';
  });
  const asked = /<question>\s*([\s\S]*?)\s*<\/question>/.exec(rest)?.[1];
  const question = (asked ?? rest.replace(WRAPPERS, '')).replace(/\n{3,}/g, '\n\n').trim();
  return { question, files };
}
