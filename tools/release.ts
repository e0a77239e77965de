import path from 'node:path';
import { parseArgs } from 'node:util';
import { TARGETS, buildRelease } from './build-release.ts';
import type { Target } from './build-release.ts';
import { runTool } from './run-tool.ts';
import { ToolError } from './terminal.ts';

const HELP = `Usage: npm run release -- [--targets ${TARGETS.join(',')}] [--out dist/release]
Compiles spoq and the conductor into single executables, with SHA256SUMS. Without --targets: for all of them.`;

/** Reads `--targets a,b`; all of them where it is not given. */
function parseTargets(value: string | undefined): readonly Target[] {
  if (value === undefined) return TARGETS;
  const names = value.split(',').map((name) => name.trim());
  const unknown = names.filter((name) => !TARGETS.some((target) => target === name));
  if (unknown.length > 0)
    throw new ToolError(`Unknown targets: ${unknown.join(', ')}. There are: ${TARGETS.join(', ')}.`, { exitCode: 64 });
  return TARGETS.filter((target) => names.includes(target));
}

await runTool(async ({ root, env, terminal, print, args }) => {
  const { values } = parseArgs({
    args,
    options: {
      targets: { type: 'string' },
      out: { type: 'string', default: 'dist/release' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help === true) return print(HELP);
  const targets = parseTargets(values.targets);
  const outDir = path.resolve(root, values.out);
  const files = await terminal.step('Compiling', (onProgress) =>
    buildRelease(outDir, targets, { root, env, onProgress }),
  );
  for (const file of files) print(`${path.join(values.out, file.name)}${file.built ? '' : '  (sources unchanged)'}`);
  print(path.join(values.out, 'SHA256SUMS'));
});
