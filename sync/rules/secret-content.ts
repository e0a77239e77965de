import { findSecret, LINE_RULES, RULE_NEEDLES } from './secret-text.ts';

/** Git's own measure of a binary: a NUL among the first 8,000 bytes. */
const BINARY_PROBE_BYTES = 8000;

/** A literal that some rules need, and the numbers of those rules (as bits). */
interface Needle {
  bytes: Uint8Array;
  rules: number[];
}

/**
 * The first three bytes of all needles, five bits of each. `skip` tells for two bytes how far the next beginning can't end (after Wu and
 * Manber), so that most bytes are never looked at; where it is 0, `table` leads from three bytes to a bucket of needles. All of it
 * stays in the processor's first cache. Each rule's own expression, run over everything, would cost twenty passes.
 */
interface Sieve {
  skip: Uint8Array;
  table: Uint8Array;
  buckets: Needle[][];
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
  const { skip, table, buckets } = (made ??= createSieve());
  for (let at = seek(bytes, 2, skip); at < bytes.length; at = seek(bytes, at + 1, skip)) {
    const window = (((bytes[at - 2] ?? 0) & 31) << 10) | (((bytes[at - 1] ?? 0) & 31) << 5) | ((bytes[at] ?? 0) & 31);
    const bucket = table[window] ?? 0;
    if (bucket === 0) continue;
    for (const needle of buckets[bucket] ?? []) {
      if (!isThere(bytes, at - 2, needle.bytes)) continue;
      for (const rule of needle.rules) {
        const places = found.get(rule);
        if (places === undefined) found.set(rule, [at - 2]);
        else places.push(at - 2);
      }
    }
  }
  return found;
}

/** The next place from `at` on where the beginning of a needle may end. By itself: both engines then make it fast. */
function seek(bytes: Uint8Array, at: number, skip: Uint8Array): number {
  const { length } = bytes;
  while (at < length) {
    const far = skip[(((bytes[at - 1] ?? 0) & 31) << 5) | ((bytes[at] ?? 0) & 31)] ?? 1;
    if (far === 0) return at;
    at += far;
  }
  return at;
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
  const sieve: Sieve = { skip: new Uint8Array(1 << 10).fill(2), table: new Uint8Array(1 << 15), buckets: [[]] };
  for (const needle of listNeedles()) addNeedle(sieve, needle);
  return sieve;
}

/** Every needle has three bytes at least. */
function addNeedle({ skip, table, buckets }: Sieve, needle: Needle): void {
  const [a = 0, b = 0, c = 0] = needle.bytes.map((byte) => byte & 31);
  const [front, back] = [(a << 5) | b, (b << 5) | c];
  skip[front] = Math.min(skip[front] ?? 0, 1);
  skip[back] = 0;
  const start = (a << 10) | back;
  const bucket = table[start] || buckets.push([]) - 1;
  table[start] = bucket;
  buckets[bucket]?.push(needle);
}
