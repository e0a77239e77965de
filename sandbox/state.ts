import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

/** A JSON file that is always whole: what `update` returned from survives a kill -9. */
export interface Store<T extends object> {
  /** The present state. Read freely; change it only inside `update`. */
  readonly data: T;
  /** Changes the state and writes it before returning. Synchronous, so that no two changes mix. */
  update<R>(change: (data: T) => R): R;
}

/** Opens the file, or begins with `initial()` and writes that. A file that isn't JSON is an error naming it. */
export function openStore<T extends object>(file: string, initial: () => T): Store<T> {
  mkdirSync(dirname(file), { recursive: true });
  const found = existsSync(file);
  const data = found ? parseState<T>(file) : initial();
  const store: Store<T> = {
    data,
    update(change) {
      const result = change(data);
      writeWhole(file, JSON.stringify(data, null, 1));
      return result;
    },
  };
  if (!found) store.update(() => undefined);
  return store;
}

function parseState<T>(file: string): T {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as T;
  } catch (cause) {
    throw new Error(`The sandbox's state in ${file} can't be read; remove the file to begin anew`, { cause });
  }
}

/** Writes beside the file, flushes, renames: a reader sees the old text or the new, never half of one. */
function writeWhole(file: string, text: string): void {
  const temporary = `${file}.${process.pid}.tmp`;
  const descriptor = openSync(temporary, 'w', 0o600);
  try {
    writeSync(descriptor, text);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(temporary, file);
}
