import { expect } from 'chai';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { isRunning } from '../../test/harness/processes.ts';
import { waitFor } from '../../test/harness/wait.ts';
import { runGuarded } from './guard.ts';

const env = { PATH: process.env['PATH'] ?? '' };
const cwd = process.cwd();

describe('runGuarded', () => {
  it('answers code and output, and hands output on as it comes', async () => {
    const heard: string[] = [];
    const result = await runGuarded({
      command: 'sh',
      args: ['-c', 'echo out; echo err >&2; read -r line || echo "no stdin"; exit 7'],
      cwd,
      env,
      onOutput: (text) => heard.push(text),
    });
    expect(result).to.deep.equal({ code: 7, stdout: 'out\nno stdin\n', stderr: 'err\n' });
    expect(heard.join('')).to.equal(result.stdout);
  });

  it('interrupts what it runs when it is told to', async () => {
    const abort = new AbortController();
    const result = await runGuarded({
      command: process.execPath,
      args: ['-e', 'process.on("SIGINT", () => process.exit(3)); setInterval(() => {}, 1000); console.log("up")'],
      cwd,
      env,
      signal: abort.signal,
      onOutput: () => abort.abort(),
    });
    expect(result.code).to.equal(3);
  });

  it('starts nothing once it has been told to stop', async () => {
    const failure = await runGuarded({
      command: 'sh',
      args: ['-c', 'true'],
      cwd,
      env,
      signal: AbortSignal.abort(),
    }).catch((error: unknown) => error);
    expect(failure).to.be.an.instanceOf(DOMException);
  });

  it('rejects when the folder is not there', async () => {
    const failure = await runGuarded({ command: 'sh', args: ['-c', 'true'], cwd: '/nonexistent', env }).catch(
      (error: unknown) => error,
    );
    expect(failure).to.be.an.instanceOf(Error);
  });

  it('ends what it runs when this process is killed, and leaves no watcher behind', async () => {
    const guard = new URL('guard.ts', import.meta.url).href;
    const parent = spawn(
      process.execPath,
      [
        '--input-type=module',
        '-e',
        `import { runGuarded } from ${JSON.stringify(guard)}; await runGuarded({ command: 'sh', args: ['-c', 'trap "exit 0" INT; echo $$; while :; do sleep 0.1; done'], cwd: '/', env: process.env, onOutput: (text) => process.stdout.write(text) });`,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const pid = await new Promise<number>((resolve) =>
      createInterface({ input: parent.stdout }).once('line', (line) => resolve(Number(line))),
    );
    parent.kill('SIGKILL');
    await waitFor('the child and its watcher to end', () => !isRunning(-pid));
  });

  it('leaves no watcher behind after an ordinary end', async () => {
    const { stdout } = await runGuarded({ command: 'sh', args: ['-c', 'echo $$'], cwd, env });
    await waitFor('the watcher to end', () => !isRunning(-Number(stdout)));
  });
});
