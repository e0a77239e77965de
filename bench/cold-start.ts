import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { COMPILE_FLAGS } from '../tools/build-release.ts';
import { runCommand } from '../tools/run-command.ts';

/** The floor: the smallest program that answers `--version`. */
const HELLO = `console.log(process.argv[2] === '--help' ? 'usage: hello [--version]' : '0.0.0');\n`;

/** Compiles the floor with the same compiler and flags as spoq itself. Answers its path. */
export async function compileHello(root: string, dir: string, env: NodeJS.ProcessEnv): Promise<string> {
  mkdirSync(dir, { recursive: true });
  const source = path.join(dir, 'hello.ts');
  const file = path.join(dir, 'hello');
  writeFileSync(source, HELLO);
  const bun = path.join(root, 'node_modules', '.bin', 'bun');
  const result = await runCommand(bun, [...COMPILE_FLAGS, '--outfile', file, source], { cwd: dir, env });
  if (result.code !== 0) throw new Error(`bun could not compile the floor: ${result.stderr}`);
  return file;
}

/**
 * Wall time of whole processes, in milliseconds, taken in turn (A B C A B C …) after `warmUps` rounds that don't count. Throws if one
 * of them fails.
 */
export async function measureColdStarts(
  commands: Record<string, string[]>,
  rounds: number,
  warmUps = 2,
): Promise<Record<string, number[]>> {
  const times: Record<string, number[]> = Object.fromEntries(Object.keys(commands).map((name) => [name, []]));
  for (let round = -warmUps; round < rounds; round++) {
    for (const [name, argv] of Object.entries(commands)) {
      const ms = await time(argv);
      if (round >= 0) times[name]?.push(ms);
    }
  }
  return times;
}

function time([file = '', ...args]: string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const began = performance.now();
    const child = spawn(file, args, { stdio: 'ignore' });
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(performance.now() - began);
      else reject(new Error(`${file} ${args.join(' ')} ended with ${code}`));
    });
  });
}
