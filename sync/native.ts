/**
 * Calls of the C library that Node has no name for, or makes an object of for each file. Only on Linux with glibc, where bun calls them;
 * elsewhere there are none, and everybody has another way.
 */
export interface Native {
  /** Paths are addresses of bytes that end with a NUL. 0, or -1. */
  statx(folder: number, path: number, flags: number, mask: number, into: number): number;
  renameat2(fromFolder: number, from: number, toFolder: number, to: number, flags: number): number;
  addressOf(bytes: Uint8Array): number;
  /** Where these paths lie until the next call; undefined for such as are too long or no paths. */
  lay(...paths: string[]): number[] | undefined;
}

/** bun's way to call what is written in C, as far as it is used here. */
interface ForeignFunctions {
  dlopen(
    library: string,
    functions: Record<string, { args: string[]; returns: string }>,
  ): { symbols: Pick<Native, 'statx' | 'renameat2'> };
  ptr(bytes: Uint8Array): number;
}

const SCRATCH_BYTES = 16 * 1024;
/** UTF-8 takes no more for a unit of UTF-16. */
const MOST_BYTES_A_UNIT = 3;

let native: Native | null | undefined;

export function getNative(): Native | undefined {
  native ??= load() ?? null;
  return native ?? undefined;
}

function load(): Native | undefined {
  if (process.platform !== 'linux' || process.versions['bun'] === undefined) return undefined;
  const foreign = process.getBuiltinModule('bun:ffi') as ForeignFunctions | undefined;
  if (foreign === undefined) return undefined;
  try {
    const { symbols } = foreign.dlopen('libc.so.6', {
      statx: { args: ['i32', 'ptr', 'i32', 'u32', 'ptr'], returns: 'i32' },
      renameat2: { args: ['i32', 'ptr', 'i32', 'ptr', 'u32'], returns: 'i32' },
    });
    const scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);
    const beginning = foreign.ptr(scratch);
    return {
      ...symbols,
      addressOf: (bytes) => foreign.ptr(bytes),
      lay(...paths) {
        let end = 0;
        const fits = (path: string): boolean => (path.length + 1) * MOST_BYTES_A_UNIT <= SCRATCH_BYTES / paths.length;
        // To the kernel a path would end at a NUL.
        return paths.every((path) => fits(path) && !path.includes('\0'))
          ? paths.map((path) => {
              const start = end;
              end += scratch.write(`${path}\0`, end);
              return beginning + start;
            })
          : undefined;
      },
    };
  } catch {
    return undefined; // Another C library, or one before 2.28.
  }
}
