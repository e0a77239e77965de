import { mkdirSync, readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** A tree to sync: how many files and bytes. */
export interface TreeSize {
  files: number;
  bytes: number;
}

export const WHOLE: TreeSize = { files: 20_000, bytes: 298_000_000 };

/** xorshift32: the same tree every time. */
function createRandom(seed: number): () => number {
  let state = seed * 2_654_435_761 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 4_294_967_296;
  };
}

const LETTERS = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';

/**
 * Source-like files: sizes are log-normal (sigma 1.4, 64 B to 1 MiB), words come by Zipf's law from 4,000 made up ones, lines are
 * indented, no file shares blocks with another. A tenth lies in `vendor/libNN`, the rest up to four folders deep in `packages`.
 */
export function makeTree(root: string, { files, bytes }: TreeSize): void {
  const random = createRandom(1);
  const words = Array.from({ length: 4000 }, () =>
    Array.from({ length: 2 + Math.floor(random() * 10) }, () => LETTERS[Math.floor(random() * 52)]).join(''),
  );
  const raw = Array.from({ length: files }, () => Math.exp(1.4 * gauss(random)));
  const scale = bytes / raw.reduce((sum, one) => sum + one, 0);
  const made = new Set<string>();
  for (const [index, file] of listPaths(files, random).entries()) {
    const full = path.join(root, file);
    const folder = path.dirname(full);
    if (!made.has(folder)) mkdirSync(folder, { recursive: true });
    made.add(folder);
    const size = Math.round(Math.min(1 << 20, Math.max(64, (raw[index] ?? 1) * scale)));
    writeFileSync(full, writeText(random, words, size));
  }
}

function gauss(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

function listPaths(files: number, random: () => number): string[] {
  const paths = Array.from({ length: files / 10 }, (_, at) => `vendor/lib${Math.floor(at / 50)}/f${at}.ts`);
  const folders = Array.from({ length: 40 }, (_, at) => `packages/p${at}`);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  for (let at = 0; at < files / 20; at++) {
    const parent = pick(folders);
    if (parent.split('/').length < 5) folders.push(`${parent}/d${at}`);
  }
  for (let at = files / 10; at < files; at++)
    paths.push(`${pick(folders)}/f${at}.${pick(['ts', 'ts', 'tsx', 'json', 'md'])}`);
  return paths;
}

function writeText(random: () => number, words: readonly string[], size: number): string {
  const lines: string[] = [];
  for (let length = 0; length < size;) {
    const count = 1 + Math.floor(random() * 14);
    let line = '  '.repeat(Math.floor(random() * 5));
    for (let at = 0; at < count; at++) line += `${words[Math.floor(words.length ** random()) - 1] ?? ''} `;
    lines.push(line);
    length += line.length + 1;
  }
  return `${lines.join('\n').slice(0, size - 1)}\n`;
}

/** Inserts a line into so many files, the same ones every time. */
export function editTree(root: string, count: number): void {
  const packages = path.join(root, 'packages');
  const files = readdirSync(packages, { recursive: true, encoding: 'utf8' })
    .filter((file) => path.basename(file).includes('.'))
    .sort();
  for (let at = 0; at < count; at++) {
    const file = path.join(packages, files[Math.floor((at * files.length) / count)] ?? '');
    const lines = readFileSync(file, 'utf8').split('\n');
    lines.splice(Math.floor(lines.length / 2), 0, `edited ${lines.length}`);
    writeFileSync(file, lines.join('\n'));
  }
}

/** `vendor` gets another name, or its own again. */
export function renameVendor(root: string): void {
  const names = ['vendor', 'vendor-renamed'].map((name) => path.join(root, name));
  const [from = '', to = ''] = readdirSync(root).includes('vendor') ? names : names.toReversed();
  renameSync(from, to);
}
