import { writeFileSync } from 'node:fs';
import path from 'node:path';
import Mocha from 'mocha';

/** What `npm test` adds up. */
export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/** What is left in the file of a run. */
export interface Report extends Counts {
  /** How long the tests and hooks of each file took, in milliseconds, by its path in the clone. */
  times: Record<string, number>;
}

/** Names the file that the report of a run is written to. */
export const REPORT_VARIABLE = 'SPOQ_TEST_REPORT';

/** Mocha's `spec`, which also leaves counts and times in a file: nothing has to read them out of the text. */
export default class ReportingReporter extends Mocha.reporters.Spec {
  constructor(runner: Mocha.Runner, options?: Mocha.MochaOptions) {
    super(runner, options);
    const times: Record<string, number> = {};
    const add = ({ file, duration = 0 }: Mocha.Runnable): void => {
      if (file === undefined) return;
      const name = path.relative(process.cwd(), file);
      times[name] = (times[name] ?? 0) + duration;
    };
    runner.on('hook end', add);
    runner.on('test end', add);
    runner.once('end', () => {
      const file = process.env[REPORT_VARIABLE];
      if (file === undefined) return;
      const { passes, failures, pending } = this.stats;
      const report: Report = { passed: passes, failed: failures, skipped: pending, times };
      writeFileSync(file, JSON.stringify(report));
    });
  }
}
