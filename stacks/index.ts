import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { getStack } from '@pulumi/pulumi';
import { createProgram } from './program.ts';
import { parseBoxSpec } from './spec.ts';

/**
 * Where a bare `pulumi preview --stack box-<id>` begins. What the box should be is in the control plane's database, so its
 * operators' command is asked; the environment it needs is what `npm run -s operator -- env` prints.
 */
export default async function program(): Promise<Record<string, unknown>> {
  const operator = fileURLToPath(new URL('../control-plane/operator.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [operator, 'spec', getStack()], {
    maxBuffer: 1 << 20,
  });
  return createProgram(parseBoxSpec(JSON.parse(stdout)))();
}
