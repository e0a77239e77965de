import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { cacheDir } from './engine.ts';

/** How long each test file took when it last ran on this machine, in milliseconds. */
export type TestTimes = Record<string, number>;

const fileOf = (env: NodeJS.ProcessEnv): string => path.join(cacheDir(env), 'test-times.json');

/** What is remembered; nothing where no run has ended here. */
export function readTestTimes(env: NodeJS.ProcessEnv): TestTimes {
  try {
    return JSON.parse(readFileSync(fileOf(env), 'utf8')) as TestTimes;
  } catch {
    return {}; // no run yet, or a file of another make: the order is no more than a matter of time
  }
}

/** Remembers `times` beside those of other files. */
export function rememberTestTimes(env: NodeJS.ProcessEnv, times: TestTimes): void {
  const file = fileOf(env);
  mkdirSync(path.dirname(file), { recursive: true });
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, JSON.stringify({ ...readTestTimes(env), ...times }));
  renameSync(draft, file);
}

/** The longest first: one that began last would run alone at the end. Those that nobody knows come before all. */
export function longestFirst(files: readonly string[], times: TestTimes): string[] {
  const timeOf = (file: string): number => times[file] ?? Infinity;
  return files.toSorted((a, b) => {
    const [first, second] = [timeOf(a), timeOf(b)];
    return first === second ? a.localeCompare(b) : second - first;
  });
}
