import path from 'node:path';
import { parseArgs } from 'node:util';
import { TARGETS, buildRelease } from './build-release.ts';
import type { Target } from './build-release.ts';
import { KEY_FILE_VARIABLE, publicFile, writeKeyPair } from './release-key.ts';
import { runTool } from './run-tool.ts';
import type { ToolContext } from './run-tool.ts';
import { MANIFEST, SUMS, keepVersion } from './seal-release.ts';
import { ToolError } from './terminal.ts';

const HELP = `Usage: npm run release -- [--targets ${TARGETS.join(',')}] [--out dist/release] [--replace]
       npm run release -- keygen <file>
Compiles spoq and the conductor into single executables, with SHA256SUMS and manifest.json, both signed as minisign does. Without
--targets: for all of them, and kept as <out>/<version>, which never changes from then on (--replace: it does).
keygen makes a key pair, <file> and <file without .key>.pub.
  ${KEY_FILE_VARIABLE}   the file of the secret key to sign with; else one that is made for the sandbox and kept in the cache
  SOURCE_DATE_EPOCH       the time that the manifest tells, in seconds since 1970; else that of the commit`;

/** Reads `--targets a,b`; all of them where it is not given. */
function parseTargets(value: string | undefined): readonly Target[] {
  if (value === undefined) return TARGETS;
  const names = value.split(',').map((name) => name.trim());
  const unknown = names.filter((name) => !TARGETS.some((target) => target === name));
  if (unknown.length > 0)
    throw new ToolError(`Unknown targets: ${unknown.join(', ')}. There are: ${TARGETS.join(', ')}.`, { exitCode: 64 });
  return TARGETS.filter((target) => names.includes(target));
}

function makeKeys({ root, print, terminal }: ToolContext, words: string[]): void {
  const [name, ...more] = words;
  if (name === undefined || more.length > 0)
    throw new ToolError('keygen takes one file: npm run release -- keygen <file>', { exitCode: 64 });
  const file = path.resolve(root, name);
  const key = writeKeyPair(file);
  print(file);
  print(publicFile(file));
  terminal.line(
    `Keep ${name} where nobody else reads it, and a copy of it elsewhere: without it no spoq out there upgrades.`,
  );
  terminal.line(`Sign with ${KEY_FILE_VARIABLE}=${name}, and give the control plane RELEASES_PUBLIC_KEY=${key.text}`);
}

await runTool(async (context) => {
  const { root, env, terminal, print, args, signal } = context;
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      targets: { type: 'string' },
      out: { type: 'string', default: 'dist/release' },
      replace: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help === true) return print(HELP);
  const [command, ...words] = positionals;
  if (command === 'keygen') return makeKeys(context, words);
  if (command !== undefined) throw new ToolError(`There is no '${command}' here.\n${HELP}`, { exitCode: 64 });
  const targets = parseTargets(values.targets);
  const outDir = path.resolve(root, values.out);
  const { files, manifest } = await terminal.step('Compiling', (onProgress) =>
    buildRelease(outDir, targets, { root, env, onProgress, signal }),
  );
  for (const file of files) print(`${path.join(values.out, file.name)}${file.built ? '' : '  (sources unchanged)'}`);
  for (const name of [SUMS, MANIFEST]) print(`${path.join(values.out, name)}  (signed)`);
  if (values.targets === undefined)
    print(path.relative(root, keepVersion(outDir, manifest, { replace: values.replace })));
});
