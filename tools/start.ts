import path from 'node:path';
import { parseArgs } from 'node:util';
import { checkConfiguration } from './check-configuration.ts';
import { openProcessRecord } from './leftovers.ts';
import { chooseMachines, parseMachineKind, rememberedKind, rememberKind } from './machines.ts';
import { startParts } from './parts.ts';
import { PORT_OFFSETS, checkPorts, parsePort } from './ports.ts';
import { prepare } from './prepare.ts';
import { startProduction } from './production.ts';
import { runTool, untilAborted } from './run-tool.ts';
import type { ToolContext } from './run-tool.ts';
import {
  exchangePort,
  forgetState,
  loadSecrets,
  lockStateFolder,
  openStateFolder,
  stateDir,
  writePrivateFile,
} from './state-folder.ts';
import { describeRun } from './summary.ts';
import { ToolError } from './terminal.ts';
import { writeWrappers } from './wrappers.ts';

const HELP = `Usage: npm start [-- --fresh]
Runs all of Spoq on this machine; vendors whose variables are set are the real ones, the rest is sandboxed.
  --fresh     forget every user, box and record of earlier runs first
  SPOQ_PORT   first of the ports that are used (4000)
  SPOQ_STATE_DIR   where everything is kept (.spoq)
  SPOQ_SANDBOX_MACHINES   nspawn: machines boot (Linux, root); process: a machine is a conductor process
  SPOQ_ENV=production   nothing is sandboxed: control plane and worker alone, with the configuration of the environment`;

await runTool(async (context) => {
  const options = { fresh: { type: 'boolean', default: false }, help: { type: 'boolean', short: 'h' } } as const;
  const { values } = parseArgs({ args: context.args, options });
  if (values.help === true) return context.print(HELP);
  if (context.env['SPOQ_ENV'] === 'production') return startProduction(context);
  await startSandboxed(context, values.fresh);
});

async function startSandboxed(context: ToolContext, fresh: boolean): Promise<void> {
  const { root, env, terminal, signal } = context;
  const began = performance.now();
  const base = parsePort(env['SPOQ_PORT']);
  const wanted = parseMachineKind(env['SPOQ_SANDBOX_MACHINES']);
  const choice = checkConfiguration(env, base);
  const folder = openStateFolder(stateDir(root, env));
  context.onEnd(lockStateFolder(folder));
  const left = await openProcessRecord(folder.dir).endLeftovers();
  if (left.length > 0) terminal.line(`The last run was killed; what it left was ended: ${left.join(', ')}.`);
  if (fresh) forgetState(folder);
  const ports = Object.fromEntries(Object.entries(PORT_OFFSETS).map(([name, offset]) => [name, base + offset]));
  await checkPorts(ports, base);
  const formerPort = exchangePort(folder, base);
  if (formerPort !== undefined) {
    terminal.line(
      `Boxes of earlier runs know Spoq at port ${formerPort} and let nobody in who signs in at another one;`,
    );
    terminal.line(`start with SPOQ_PORT=${formerPort} to use them.`);
  }
  const prepared = await prepare({ root, env, terminal, signal });
  const former = rememberedKind(folder.dir);
  const machines = await chooseMachines({ root, env, terminal, signal }, wanted ?? former);
  if (former !== undefined && former !== machines.kind)
    throw new ToolError(
      `The boxes in ${folder.dir} are of kind ${former} and can't become ${machines.kind}. Unset SPOQ_SANDBOX_MACHINES, or begin anew with \`npm start -- --fresh\`.`,
    );
  rememberKind(folder.dir, machines.kind);
  const parts = await startParts({
    root,
    folder,
    env,
    terminal,
    signal,
    secrets: loadSecrets(folder),
    pathDirs: prepared.pathDirs,
    pulumiHome: prepared.plugins.home,
    ports: {
      control_plane: base,
      postgres: base + PORT_OFFSETS.postgres,
      worker: base + PORT_OFFSETS.worker,
      sandbox: base,
    },
    sandboxed: choice.sandboxed,
    conductor: prepared.conductor,
    machines,
    releasesDir: prepared.releasesDir,
  });
  context.onEnd(async () => {
    terminal.line();
    await terminal.step('Ending everything', parts.stop);
    terminal.line(
      `Every user and box is kept in ${path.relative(root, folder.dir)}; \`npm start\` goes on from there.`,
    );
  });
  writePrivateFile(folder.environment, `${JSON.stringify(parts.environment, undefined, 2)}\n`);
  writeWrappers(folder, { root, parts, spoq: prepared.spoq });
  for (const line of describeRun({
    parts,
    choice,
    machines,
    prepared,
    folder,
    root,
    colors: terminal.colors,
    ms: performance.now() - began,
  }))
    context.print(line);
  // Asked to end, by Ctrl-C or a service manager, it has done its duty: that is no failure.
  const failure = await untilAborted(signal, parts.failed).catch(() => undefined);
  if (failure !== undefined) throw failure;
}
