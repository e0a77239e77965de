import { expect } from 'chai';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { isRunning } from '../test/harness/processes.ts';
import { waitFor } from '../test/harness/wait.ts';
import { runMocha } from './run-mocha.ts';

const ROOT = path.dirname(import.meta.dirname);

describe('a run of the tests', function () {
  this.timeout(30_000);

  for (const jobs of [1, 2])
    it(`leaves nothing that a test has started when it is interrupted (${jobs} at a time)`, async () => {
      const dir = mkdtempSync(path.join(tmpdir(), 'spoq-mocha-'));
      const [file, note] = [path.join(dir, 'long.test.mjs'), path.join(dir, 'pid')];
      writeFileSync(
        file,
        `import { spawn } from 'node:child_process';
         import { writeFileSync } from 'node:fs';
         it('takes long', async () => {
           const child = spawn('sleep', ['600'], { detached: true, stdio: 'ignore' });
           writeFileSync(${JSON.stringify(note)}, String(child.pid));
           await new Promise((resolve) => child.once('close', resolve));
         }).timeout(0);`,
      );
      try {
        const interrupt = new AbortController();
        const { signal } = interrupt;
        const run = runMocha({ root: ROOT, env: process.env, files: [file], jobs, signal });
        await waitFor('the test to run', () => existsSync(note) && readFileSync(note, 'utf8') !== '', 20_000);
        interrupt.abort();
        expect((await run).failed, 'it did not pass').to.be.above(0);
        expect(isRunning(Number(readFileSync(note, 'utf8')))).to.equal(false);
      } finally {
        rmSync(dir, { recursive: true, force: true });
      }
    });
});
