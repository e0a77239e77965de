import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** Runs a program of this computer to its end and answers its stdout. Throws with the last that it said. */
export async function run(file: string, args: readonly string[]): Promise<string> {
  try {
    return (await execute(file, args, { maxBuffer: 16 << 20 })).stdout;
  } catch (cause) {
    const said = (cause as { stderr?: string }).stderr?.trim().split('\n').at(-1);
    throw new Error(`${file} ${args.slice(0, 2).join(' ')} failed: ${said || String(cause)}`, { cause });
  }
}
