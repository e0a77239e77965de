/** Whether what is sent is packed: as long as that is faster, which depends on the line, the processors and what is sent. */
export interface Packing {
  /** For the next request; `done` is told of it. */
  choose(): boolean;
  /** It is over: `bytes` of files took `ms`. */
  done(packed: boolean, bytes: number, ms: number): void;
}

/** A smaller request tells more of the connection than of the line, unless it took long. */
const SAMPLE_BYTES = 2 * 1024 * 1024;
const SAMPLE_MS = 500;
/** Lines change: now and then the slower way is tried again. */
const RETRY_EVERY = 32;

export function createPacking(): Packing {
  /** Bytes of files a millisecond. */
  const rates = new Map<boolean, number>();
  const underWay = new Map([
    [true, 0],
    [false, 0],
  ]);
  let count = 0;
  const pick = (): boolean => {
    count++;
    const [packed, plain] = [rates.get(true), rates.get(false)];
    if (packed !== undefined && plain !== undefined) return packed >= plain !== (count % RETRY_EVERY === 0);
    // One of each until both are known. What is small is packed: nobody can tell yet, and it is the better guess for a line.
    return plain !== undefined || underWay.get(false) !== 0 || (packed === undefined && underWay.get(true) === 0);
  };
  return {
    choose() {
      const packed = pick();
      underWay.set(packed, (underWay.get(packed) ?? 0) + 1);
      return packed;
    },
    done(packed, bytes, ms) {
      underWay.set(packed, (underWay.get(packed) ?? 0) - 1);
      if (bytes < SAMPLE_BYTES && ms < SAMPLE_MS) return;
      const [rate, before] = [bytes / Math.max(1, ms), rates.get(packed)];
      rates.set(packed, before === undefined ? rate : (before + rate) / 2);
    },
  };
}
