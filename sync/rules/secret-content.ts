import { findSecret, LINE_RULES, RULE_NEEDLES } from './secret-text.ts';

/** Git's own measure of a binary: a NUL among the first 8,000 bytes. */
const BINARY_PROBE_BYTES = 8000;

/** A literal that some rules need, and the numbers of those rules. */
interface Needle {
  bytes: Uint8Array;
  rules: number[];
}

/** A needle, and how many bytes before a window it begins. */
interface Beginning {
  needle: Needle;
  before: number;
}

/**
 * Three bytes that some needle has at an even place, five bits of each: a table that stays in the processor's first cache, into which
 * every second window of the content is led. Each rule's own expression, run over everything, would cost twenty passes.
 */
interface Sieve {
  /** By window: which bucket it leads to; 0 for none. */
  table: Uint8Array;
  buckets: Beginning[][];
}

let made: Sieve | undefined;

/**
 * What kind of secret the content of a file looks to hold; `undefined` for nothing, and for what isn't text. The rules are those
 * by which `spoq ask` withholds places in texts. One that stays within a line sees only the lines that hold a needle of it.
 */
export function findSecretContent(bytes: Uint8Array): string | undefined {
  if (bytes.subarray(0, BINARY_PROBE_BYTES).includes(0)) return undefined;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  let whole: string | undefined;
  for (const [rule, places] of findNeedles(bytes)) {
    const part = LINE_RULES.has(rule) ? readLines(text, places) : (whole ??= text.toString());
    const kind = findSecret(part, rule);
    if (kind !== undefined) return kind;
  }
  return undefined;
}

/** The lines that hold these places, which ascend. */
function readLines(text: Buffer, places: readonly number[]): string {
  const lines: string[] = [];
  let end = -1;
  for (const place of places) {
    if (place < end) continue;
    const start = text.lastIndexOf(10, place) + 1;
    const next = text.indexOf(10, place);
    end = next === -1 ? text.length : next;
    lines.push(text.toString('utf8', start, end));
  }
  return lines.join('\n');
}

/** Where the needles of a rule begin, by its number. */
function findNeedles(bytes: Uint8Array): Map<number, number[]> {
  const found = new Map<number, number[]>();
  const { table, buckets } = (made ??= createSieve());
  for (let from = 0; from < bytes.length;) {
    const count = collectPlaces(bytes, from, table);
    for (let index = 0; index < count; index++) {
      const at = places[index] ?? 0;
      for (const { needle, before } of buckets[table[readWindow(bytes, at)] ?? 0] ?? [])
        if (isThere(bytes, at - before, needle.bytes)) note(found, needle, at - before);
    }
    from = count < places.length ? bytes.length : (places[count - 1] ?? 0) + 2;
  }
  for (const all of found.values()) all.sort((a, b) => a - b);
  return found;
}

function note(found: Map<number, number[]>, { rules }: Needle, at: number): void {
  for (const rule of rules) {
    const known = found.get(rule);
    if (known === undefined) found.set(rule, [at]);
    else known.push(at);
  }
}

const places = new Uint32Array(4096);

/**
 * Fills `places` with the windows that the table knows, from `from` on, which is even. Such a loop by itself both engines make fast, as
 * long as nothing is read beyond the end.
 */
function collectPlaces(bytes: Uint8Array, from: number, table: Uint8Array): number {
  let count = 0;
  const end = bytes.length - 2;
  let last = (bytes[from] as number) & 31;
  for (let at = from; at < end && count < places.length; at += 2) {
    const next = (bytes[at + 2] as number) & 31;
    if (table[(last << 10) | (((bytes[at + 1] as number) & 31) << 5) | next] !== 0) places[count++] = at;
    last = next;
  }
  return count;
}

/** The three bytes that begin at `at`, five bits of each. */
function readWindow(bytes: Uint8Array, at: number): number {
  return (((bytes[at] ?? 0) & 31) << 10) | (((bytes[at + 1] ?? 0) & 31) << 5) | ((bytes[at + 2] ?? 0) & 31);
}

/** 0x20 makes letters small, and does the same to other signs on both sides. */
function isThere(bytes: Uint8Array, from: number, needle: Uint8Array): boolean {
  for (let index = 0; index < needle.length; index++)
    if (((bytes[from + index] ?? 0) | 0x20) !== needle[index]) return false;
  return true;
}

function listNeedles(): Needle[] {
  const rules = new Map<string, number[]>();
  RULE_NEEDLES.forEach((needles, rule) => {
    for (const needle of needles) rules.set(needle, [...(rules.get(needle) ?? []), rule]);
  });
  return [...rules].map(([text, numbers]) => ({ bytes: Buffer.from(text).map((byte) => byte | 0x20), rules: numbers }));
}

function createSieve(): Sieve {
  const windows = new Map<number, Beginning[]>();
  const lead = (window: number, needle: Needle, before: number): void =>
    void windows.set(window, [...(windows.get(window) ?? []), { needle, before }]);
  for (const needle of listNeedles()) {
    const { bytes } = needle;
    // Every needle has three bytes at least.
    lead(readWindow(bytes, 0), needle, 0);
    // One that begins at an odd place is met a byte later; a short one a byte before, whatever stands there.
    if (bytes.length > 3) lead(readWindow(bytes, 1), needle, 1);
    else for (let any = 0; any < 32; any++) lead((any << 10) | (readWindow(bytes, 0) >> 5), needle, -1);
  }
  const sieve: Sieve = { table: new Uint8Array(1 << 15), buckets: [[]] };
  const numbers = new Map<string, number>();
  for (const [window, beginnings] of windows) {
    const key = beginnings.map(({ needle, before }) => `${Buffer.from(needle.bytes).toString('hex')} ${before}`).join();
    const number = numbers.get(key) ?? sieve.buckets.push(beginnings) - 1;
    numbers.set(key, number);
    sieve.table[window] = number;
  }
  return sieve;
}
