import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { REPORT_VARIABLE } from '../test/harness/reporter.ts';
import type { Report } from '../test/harness/reporter.ts';
import { endProcesses, findFamily, type ProcessRow } from './process-table.ts';

export interface MochaOptions {
  root: string;
  env: NodeJS.ProcessEnv;
  files: string[];
  /** Test files at the same time; 1 runs them one after the other in one process. */
  jobs: number;
  signal: AbortSignal;
}

/** How long tests that are interrupted may take to end, and then what they have started. */
const GRACE_MS = 3_000;
const NOTHING: Report = { passed: 0, failed: 0, skipped: 0, times: {} };

/**
 * Runs test files with their output on this terminal and answers its report. A run that broke off, or that reports success and
 * yet exits with an error, counts as one more failure: nothing passes by not being run.
 * When it is interrupted nothing that a test has started is left.
 */
export async function runMocha({ root, env, files, jobs, signal }: MochaOptions): Promise<Report> {
  if (files.length === 0) return { ...NOTHING };
  const dir = mkdtempSync(path.join(tmpdir(), 'spoq-test-'));
  const report = path.join(dir, 'report.json');
  const argv = [
    path.join(root, 'node_modules', 'mocha', 'bin', 'mocha.js'),
    '--reporter',
    path.join(root, 'test', 'harness', 'reporter.ts'),
    ...(jobs > 1 ? ['--parallel', '--jobs', String(jobs)] : []),
    ...files,
  ];
  let family: ProcessRow[] = [];
  try {
    const code = await new Promise<number>((resolve, reject) => {
      const child = spawn(process.execPath, argv, {
        cwd: root,
        env: { ...env, [REPORT_VARIABLE]: report },
        stdio: ['ignore', 'inherit', 'inherit'],
        // Ctrl-C in the terminal reaches only us: what tests have started can be found as long as they run.
        detached: true,
      });
      const interrupt = (): void => {
        family = child.pid === undefined ? [] : findFamily(child.pid);
        child.kill('SIGINT');
        setTimeout(() => child.kill('SIGKILL'), GRACE_MS).unref();
      };
      signal.addEventListener('abort', interrupt, { once: true });
      child.once('error', reject);
      child.once('close', (status) => resolve(status ?? 1));
    });
    const result = readReport(report);
    if (result === undefined) return { ...NOTHING, failed: 1 };
    return code !== 0 && result.failed === 0 ? { ...result, failed: 1 } : result;
  } finally {
    await endProcesses(family, GRACE_MS);
    rmSync(dir, { recursive: true, force: true });
  }
}

function readReport(file: string): Report | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Report;
  } catch {
    return undefined; // mocha ended before its end: a file that cannot be loaded, or a signal
  }
}
