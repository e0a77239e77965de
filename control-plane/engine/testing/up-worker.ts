import { createInterface } from 'node:readline';
import type { BoxSpec } from '../../../stacks/spec.ts';
import { createEngine } from '../create-engine.ts';

// A worker that can be killed: reads {env, spec} from stdin, makes the box, and tells each event as a line.
for await (const line of createInterface({ input: process.stdin })) {
  const { env, spec } = JSON.parse(line) as { env: Record<string, string>; spec: BoxSpec };
  const engine = createEngine({ env });
  await engine.up(spec, { onEvent: (event) => process.stdout.write(`${JSON.stringify(event)}\n`) });
  await engine.close();
  break;
}
