import { emitKeypressEvents } from 'node:readline';
import type { Key, Keyboard, ListenOptions } from '../deps.ts';
import { sanitizeText } from './sanitize.ts';

/** A lone Escape is told from the beginning of another key after so long; node:readline waits half a second unless told. */
const ESCAPE_MS = 50;
/** Bracketed paste: terminals mark what is pasted, so that its line breaks send nothing. */
const PASTE = { begin: '\u001b[?2004h', end: '\u001b[?2004l' };

interface Pressed {
  name?: string;
  ctrl: boolean;
  meta: boolean;
}

interface Listener {
  onKey: (key: Key) => void;
  options: ListenOptions;
}

/** The keyboard of the process. `interrupt` is told of a SIGINT and answers whether somebody takes it for a key. */
export function createKeyboard(
  stdin: NodeJS.ReadStream,
  output: NodeJS.WriteStream,
): Keyboard & { interrupt(): boolean } {
  const listeners: Listener[] = [];
  let stop: (() => void) | undefined;
  const change = (edit: () => void): void => {
    stop?.();
    edit();
    const last = listeners.at(-1);
    stop = last === undefined ? undefined : attach(stdin, output, last);
  };
  return {
    interrupt() {
      const last = listeners.at(-1);
      if (last?.options.lines !== true) return false;
      last.onKey({ ...createKey('c'), ctrl: true });
      return true;
    },
    listen(onKey, options) {
      const listener = { onKey, options };
      change(() => listeners.push(listener));
      return () => {
        if (listeners.includes(listener)) change(() => listeners.splice(listeners.indexOf(listener), 1));
      };
    },
  };
}

function attach(stdin: NodeJS.ReadStream, output: NodeJS.WriteStream, { onKey, options }: Listener): () => void {
  const resized = (): void => onKey(createKey('resize'));
  const closed = (): void => onKey(createKey('closed'));
  const detach = options.lines ? listenToLines(stdin, onKey) : listenToKeys(stdin, onKey);
  const marks = options.pastes === true && !options.lines;
  if (marks) output.write(PASTE.begin);
  output.on('resize', resized);
  stdin.on('end', closed);
  stdin.resume();
  return () => {
    output.off('resize', resized);
    stdin.off('end', closed);
    if (marks) output.write(PASTE.end);
    detach();
    stdin.pause();
  };
}

function listenToKeys(stdin: NodeJS.ReadStream, onKey: (key: Key) => void): () => void {
  // Of an interface of readline it takes this number alone, which its types don't know.
  emitKeypressEvents(stdin, { escapeCodeTimeout: ESCAPE_MS } as never);
  const pressed = (text: string | undefined, { name, ctrl, meta }: Pressed): void => {
    onKey({ name, text: ctrl || meta || text === undefined ? '' : sanitizeText(text), ctrl, meta });
  };
  stdin.on('keypress', pressed);
  stdin.setRawMode(true);
  return () => {
    stdin.setRawMode(false);
    stdin.off('keypress', pressed);
  };
}

function listenToLines(stdin: NodeJS.ReadStream, onKey: (key: Key) => void): () => void {
  const decoder = new TextDecoder();
  const typed = (chunk: Uint8Array): void => {
    for (const [index, line] of decoder.decode(chunk, { stream: true }).split(/\r?\n/).entries()) {
      if (index > 0) onKey(createKey('return'));
      if (line !== '') onKey({ ...createKey(undefined), text: sanitizeText(line) });
    }
  };
  stdin.on('data', typed);
  return () => stdin.off('data', typed);
}

function createKey(name: string | undefined): Key {
  return { name, text: '', ctrl: false, meta: false };
}
