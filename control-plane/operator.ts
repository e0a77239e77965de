import enquirer from 'enquirer';
import { runOperator } from './operator/run-operator.ts';

const abort = new AbortController();
// The first Ctrl-C lets the engine write its state and let go of its lock; the second is for good.
process.once('SIGINT', () => abort.abort(new Error('interrupted')));
process.once('SIGTERM', () => abort.abort(new Error('terminated')));

const confirm = async (message: string): Promise<boolean> => {
  const { agreed } = await enquirer.prompt<{ agreed: boolean }>({ type: 'confirm', name: 'agreed', message });
  return agreed;
};

process.exitCode = await runOperator(process.argv.slice(2), {
  env: process.env,
  out: (text) => process.stdout.write(`${text}\n`),
  say: (text) => process.stderr.write(`${text}\n`),
  ...(process.stdin.isTTY && process.stderr.isTTY ? { confirm } : {}),
  signal: abort.signal,
});
