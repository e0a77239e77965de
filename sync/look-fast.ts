import { closeSync, constants, openSync } from 'node:fs';
import type { Look } from './look.ts';
import { getNative } from './native.ts';
import type { Native } from './native.ts';

/** Looks at one path after the other. The path begins at `start` of a memory in which a NUL is behind each; `undefined`: look otherwise. */
export interface FastLooks {
  at(start: number): Look | undefined;
  close(): void;
}

/** Of linux/fcntl.h and linux/stat.h. */
const AT_SYMLINK_NOFOLLOW = 0x100;
const STATX_BASIC_STATS = 0x7ff;
const STATX_BYTES = 256;
/** Places in struct statx, which is the same on every processor (statx(2)). */
const [MODE, INODE, SIZE, CTIME, MTIME] = [28, 32, 40, 96, 112];

/**
 * `lstat` for many paths below `root`, as the kernel answers it, without an object and a text for each: half of the time. Undefined where the
 * kernel can't be asked so.
 */
export function openFastLooks(root: string, paths: Uint8Array): FastLooks | undefined {
  const native = getNative();
  if (native === undefined) return undefined;
  let folder: number;
  try {
    folder = openSync(root, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } catch {
    return undefined; // What is wrong shows when it is looked at otherwise.
  }
  const read = createReader(native);
  const names = native.addressOf(paths);
  return { at: (start) => read(folder, names + start), close: () => closeSync(folder) };
}

let shared: ReturnType<typeof createReader> | undefined;

/** `lstat` for a name in a folder that is open; good until the next call. Undefined: look otherwise. */
export function lookIn(folder: number, name: string): Look | undefined {
  const native = getNative();
  const [at] = native?.lay(name) ?? [];
  if (native === undefined || at === undefined) return undefined;
  return (shared ??= createReader(native))(folder, at);
}

/** Answers the same object each time. */
function createReader({ statx, addressOf }: Native): (folder: number, path: number) => Look | undefined {
  const into = new DataView(new ArrayBuffer(STATX_BYTES));
  const answer = addressOf(new Uint8Array(into.buffer));
  const whole = (at: number): number => into.getUint32(at + 4, true) * 0x1_0000_0000 + into.getUint32(at, true);
  const time = (at: number): number => whole(at) * 1000 + into.getUint32(at + 8, true) / 1e6;
  const look: Look = { mode: 0, size: 0, ino: 0, mtimeMs: 0, ctimeMs: 0 };
  return (folder, path) => {
    if (statx(folder, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, answer) !== 0) return undefined;
    look.mode = into.getUint16(MODE, true);
    look.size = whole(SIZE);
    look.ino = whole(INODE);
    look.mtimeMs = time(MTIME);
    look.ctimeMs = time(CTIME);
    return look;
  };
}
