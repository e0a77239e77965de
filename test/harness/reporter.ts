import { writeFileSync } from 'node:fs';
import Mocha from 'mocha';

/** What `npm test` adds up. */
export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/** Names the file that the counts of a run are written to. */
export const COUNTS_VARIABLE = 'SPOQ_TEST_COUNTS';

/** Mocha's `spec`, which also leaves the counts in a file: nothing has to read them out of the text. */
export default class CountingReporter extends Mocha.reporters.Spec {
  constructor(runner: Mocha.Runner, options?: Mocha.MochaOptions) {
    super(runner, options);
    runner.once('end', () => {
      const file = process.env[COUNTS_VARIABLE];
      if (file === undefined) return;
      const { passes, failures, pending } = this.stats;
      const counts: Counts = { passed: passes, failed: failures, skipped: pending };
      writeFileSync(file, JSON.stringify(counts));
    });
  }
}
