import path from 'node:path';
import { runCommand } from './run-command.ts';
import { ToolError } from './terminal.ts';

export interface BuildDeps {
  env: NodeJS.ProcessEnv;
  root: string;
  onProgress: (text: string) => void;
  signal?: AbortSignal;
}

const SDK = 'github.com/pulumi/pulumi/sdk/v3';
/** The last SDK that still holds the Node language host; engines of 3.250 work with it. */
const LANGUAGE_HOST_VERSION = '3.60.0';

/** Builds the engine into `file` from the pinned modules in tools/engine. Minutes without Go's build cache, seconds with it. */
export function buildEngine(file: string, version: string, deps: BuildDeps): Promise<void> {
  return build('tools/engine', 'github.com/pulumi/pulumi/pkg/v3/cmd/pulumi', version, file, deps);
}

/** Builds the language host that `pulumi preview` from a shell needs for Node programs. */
export function buildLanguageHost(file: string, deps: BuildDeps): Promise<void> {
  return build('tools/language-host', `${SDK}/nodejs/cmd/pulumi-language-nodejs`, LANGUAGE_HOST_VERSION, file, deps);
}

async function build(module: string, name: string, version: string, file: string, deps: BuildDeps): Promise<void> {
  const cwd = path.join(deps.root, module);
  const { env, signal } = deps;
  const what = path.basename(name);
  let downloads = 0;
  deps.onProgress(`${what}: downloading modules`);
  const listed = await runCommand('go', ['list', '-deps', name], {
    cwd,
    env,
    signal,
    onLine: (line) =>
      line.startsWith('go: downloading') && deps.onProgress(`${what}: ${++downloads} modules downloaded`),
  });
  if (listed.code !== 0) throw describeFailure(what, listed.stderr);
  const total = listed.stdout.trim().split('\n').length;

  let built = 0;
  const linker = `-s -w -X ${SDK}/go/common/version.Version=v${version}`;
  const result = await runCommand(
    'go',
    ['build', '-v', '-trimpath', '-mod=readonly', '-ldflags', linker, '-o', file, name],
    {
      cwd,
      env,
      onLine: (line) =>
        !line.startsWith('go: ') && deps.onProgress(`${what}: ${++built} packages built, ${total} at most`),
    },
  );
  if (result.code !== 0) throw describeFailure(what, result.stderr);
}

function describeFailure(what: string, stderr: string): ToolError {
  const last = stderr.trim().split('\n').slice(-3).join('\n');
  if (/dial tcp|no such host|i\/o timeout|connection refused|TLS handshake|502|503/.test(last)) {
    return new ToolError(
      `The Go modules of ${what} could not be downloaded. Check the network (GOPROXY), then run this again.\n${last}`,
    );
  }
  if (/no space left/.test(stderr)) return new ToolError('The disk is full. Free 4 GB, then run this again.');
  return new ToolError(
    `Go could not build ${what}; nothing was changed. Install pulumi yourself, or look at what Go said:\n${last}`,
  );
}
