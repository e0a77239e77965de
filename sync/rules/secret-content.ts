import { findSecret, RULE_NEEDLES } from './secret-text.ts';

/** Git's own measure of a binary: a NUL among the first 8,000 bytes. */
const BINARY_PROBE_BYTES = 8000;

/** A literal that some rules need, and the numbers of those rules (as bits). */
interface Needle {
  bytes: Uint8Array;
  rules: number[];
}

/**
 * The beginnings of all needles: four bytes, five bits of each, lead to a bucket of needles. One pass over the bytes then tells which
 * rules a text needs; each rule's own expression, run over everything, would cost twenty passes.
 */
interface Sieve {
  buckets: Needle[][];
  table: Uint16Array;
}

let made: Sieve | undefined;

/**
 * What kind of secret the content of a file looks to hold; `undefined` for nothing, and for what isn't text. The rules are those
 * by which `spoq ask` withholds places in texts.
 */
export function findSecretContent(bytes: Uint8Array): string | undefined {
  if (bytes.subarray(0, BINARY_PROBE_BYTES).includes(0)) return undefined;
  const rules = findRules(bytes);
  return rules === undefined
    ? undefined
    : findSecret(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString(), rules);
}

function findRules(bytes: Uint8Array): Set<number> | undefined {
  let rules: Set<number> | undefined;
  let window = 0;
  const { length } = bytes;
  const { table, buckets } = (made ??= createSieve());
  for (let at = 0; at < length; at++) {
    window = ((window << 5) | ((bytes[at] ?? 0) & 31)) & 0xfffff;
    const bucket = table[window] ?? 0;
    if (bucket === 0) continue;
    for (const needle of buckets[bucket] ?? []) {
      if (!isThere(bytes, at - 3, needle.bytes)) continue;
      rules ??= new Set();
      for (const rule of needle.rules) rules.add(rule);
    }
  }
  // The last three bytes begin no window of their own, and no needle of three is a whole secret.
  return rules;
}

/** 0x20 makes letters small, and does the same to other signs on both sides. */
function isThere(bytes: Uint8Array, from: number, needle: Uint8Array): boolean {
  if (from < 0) return false;
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
  const sieve: Sieve = { buckets: [[]], table: new Uint16Array(1 << 20) };
  for (const needle of listNeedles()) addNeedle(sieve, needle);
  return sieve;
}

/** A needle of three bytes may be followed by any fourth. */
function addNeedle({ table, buckets }: Sieve, needle: Needle): void {
  const [a = 0, b = 0, c = 0, d] = needle.bytes;
  const start = ((a & 31) << 15) | ((b & 31) << 10) | ((c & 31) << 5);
  const ends = d === undefined ? Array.from({ length: 32 }, (_, index) => index) : [d & 31];
  for (const end of ends) {
    const bucket = table[start | end] || buckets.push([]) - 1;
    table[start | end] = bucket;
    buckets[bucket]?.push(needle);
  }
}
