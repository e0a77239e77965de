import { dirname, delimiter } from 'node:path';
import { Argument, Command, CommanderError } from 'commander';
import { SpoqError } from '../../contract/errors.ts';
import { ASKED_OPERATIONS } from '../../contract/vps.ts';
import { DEFAULT_WAVES } from '../commands/plan-waves.ts';
import { ConfigError, loadConfig } from '../config.ts';
import type { Preview } from '../engine/engine.ts';
import { createEngineEnvironment } from '../engine/environment.ts';
import type { WorkerDeps } from '../jobs/worker-deps.ts';
import { AUDIT_ACTIONS, type AuditAction, type AuditFlags, printAudit, runAudit } from './audit.ts';
import { destroyBox, loadBoxSpec, previewBox, readOutputs, refreshBox, upBox } from './commands.ts';
import { ENCRYPTION_ACTIONS, printEncryption, runEncryption, type EncryptionAction } from './encryption.ts';
import { listBoxes } from './find-box.ts';
import { operateBox, previewOperation } from './operate.ts';
import { KEY_ACTIONS, printKeys, runKeys, type KeyAction } from './keys.ts';
import { createOperatorDeps } from './operator-deps.ts';
import { printRollout } from './print-rollout.ts';
import { ROLLOUT_ACTIONS, runRollout, type RolloutAction, type RolloutFlags } from './rollout.ts';
import { presentBox, printBoxes, printEvent, printExports, printMachines, printPreview } from './print.ts';

export interface OperatorIo {
  env: Record<string, string | undefined>;
  /** Results. */
  out(text: string): void;
  /** Talk. */
  say(text: string): void;
  /** Asks a yes-or-no question; undefined where there is no terminal. */
  confirm?: (question: string) => Promise<boolean>;
  signal: AbortSignal;
}

/** sysexits.h */
const EXIT = { ok: 0, usage: 64, software: 70, config: 78 } as const;

/** Runs one operators' command; answers the exit code. */
export async function runOperator(argv: readonly string[], io: OperatorIo): Promise<number> {
  try {
    await createProgram(io).parseAsync(argv, { from: 'user' });
    return EXIT.ok;
  } catch (error) {
    return explain(error, io);
  }
}

function createProgram(io: OperatorIo): Command {
  const program = new Command('operator')
    .description("Operators' commands on users' boxes. <user>: GitHub login, host name, box id or stack.")
    .exitOverride()
    .configureOutput({ writeOut: (text) => io.out(text.trimEnd()), writeErr: (text) => io.say(text.trimEnd()) });
  const withDeps = async (action: (deps: WorkerDeps) => Promise<void>): Promise<void> => {
    const deps = createOperatorDeps(loadConfig(io.env), io.env);
    deps.boss.on('error', (err) => deps.log.error({ err }, 'queue'));
    try {
      await action(deps);
    } finally {
      await deps.engine.close();
      await deps.boss.stop({ graceful: false });
      await deps.db.destroy();
    }
  };
  const show = (json: boolean | undefined, value: unknown, print: () => string): void =>
    io.out(json ? JSON.stringify(value) : print());
  const watch = { signal: io.signal, onEvent: (event: Parameters<typeof printEvent>[0]) => io.say(printEvent(event)) };
  interface Flags {
    json?: boolean;
    all?: boolean;
    yes?: boolean;
    destroy?: boolean;
    restart?: boolean;
    rebuild?: boolean;
    move?: boolean;
    to?: string;
    plan?: string;
  }
  const OPERATIONS = [...ASKED_OPERATIONS, 'move'] as const;
  const add = (usage: string, description: string): Command =>
    program.command(usage).description(description).option('--json', 'print JSON');

  add('list', 'every box')
    .option('--all', 'terminated ones too')
    .action((flags: Flags) =>
      withDeps(async ({ db }) => {
        const boxes = await listBoxes(db, { all: flags.all === true });
        show(flags.json, boxes.map(presentBox), () => printBoxes(boxes));
      }),
    );
  add('preview <user>', 'what up would change, and what would be lost')
    .option('--destroy', 'what destroy would take away')
    .option('--restart', 'what restart would do')
    .option('--rebuild', 'what rebuild would do, and what would be lost')
    .option('--move', 'what move would do, and what would be lost')
    .option('--to <provider/region>', 'with --move: where to')
    .action((user: string, flags: Flags) =>
      withDeps(async (deps) => {
        const operation = OPERATIONS.find((name) => flags[name]);
        const preview =
          operation === undefined
            ? await previewBox(deps, user, { ...watch, destroy: flags.destroy === true })
            : await previewOperation(deps, user, operation, { ...watch, to: flags.to });
        show(flags.json, preview, () => printPreview(preview));
      }),
    );
  add('up <user>', 'bring the box to what it should be')
    .option('--yes', 'without asking')
    .action((user: string, flags: Flags) =>
      withDeps(async (deps) => {
        await agree(flags, () => previewBox(deps, user, { ...watch, destroy: false }));
        const outputs = await upBox(deps, user, watch);
        show(flags.json, outputs, () => printLines(outputs));
      }),
    );
  add('destroy <user>', 'wipe the box and end its contract')
    .option('--yes', 'without asking')
    .action((user: string, flags: Flags) =>
      withDeps(async (deps) => {
        await agree(flags, () => previewBox(deps, user, { ...watch, destroy: true }));
        const machines = await destroyBox(deps, user, watch);
        show(flags.json, machines, () => printMachines(machines));
      }),
    );
  const words = {
    restart: 'restart the machine of the box',
    rebuild: 'wipe the machine of the box and install it anew',
    move: 'get another machine for the box and take it there, with what is on it',
  };
  for (const operation of OPERATIONS) {
    const command = add(`${operation} <user>`, words[operation]).option('--yes', 'without asking');
    if (operation === 'move')
      command.option('--to <provider/region>', 'where to; its size is the one of the plan that is paid');
    command.action((user: string, flags: Flags) =>
      withDeps(async (deps) => {
        const options = { ...watch, to: flags.to };
        await agree(flags, () => previewOperation(deps, user, operation, options));
        const box = await operateBox(deps, user, operation, options);
        show(flags.json, presentBox(box), () => `${box.hostname} is back.`);
      }),
    );
  }
  add('refresh <user>', 'read what is really there into the state').action((user: string, flags: Flags) =>
    withDeps(async (deps) => {
      await refreshBox(deps, user, watch);
      show(flags.json, { refreshed: true }, () => 'The state says what is there.');
    }),
  );
  add('outputs <user>', 'what the stack says of itself').action((user: string, flags: Flags) =>
    withDeps(async (deps) => {
      const outputs = await readOutputs(deps, user);
      show(flags.json, outputs, () => printLines(outputs));
    }),
  );
  add('rollout', 'bring a release to every box, in waves; see how that goes; stop it')
    .addArgument(new Argument('<action>').choices(ROLLOUT_ACTIONS))
    .option('--version <version>', 'with start: which release (the newest)')
    .option('--wave <sizes>', `with start: how many boxes have it after each wave (${DEFAULT_WAVES.join(',')}, all)`)
    .option('--max-failures <number>', 'with start: so many boxes that fail stop it (1)')
    .option('--yes', 'without asking')
    .action((action: RolloutAction, flags: Flags & RolloutFlags) =>
      withDeps(async (deps) => {
        const rollout = await runRollout(deps, action, flags, (preview) => confirm(flags, async () => preview));
        show(flags.json, rollout, () => printRollout(rollout));
      }),
    );
  add('keys', 'the keys that sign tokens: list them, or bring the next one in with nobody signed out')
    .addArgument(new Argument('<action>').choices(KEY_ACTIONS))
    .option('--now', 'with rotate: at once, and take the others back, since one may have leaked')
    .option('--yes', 'without asking')
    .action((action: KeyAction, flags: Flags & { now?: boolean }) =>
      withDeps(async (deps) => {
        const keys = await runKeys(deps, action, flags, (preview) => confirm(flags, async () => preview));
        show(flags.json, keys, () => printKeys(keys));
      }),
    );
  add('audit', 'walk the whole audit log and tell whether it is as written; list what it says of a person')
    .addArgument(new Argument('<action>').choices(AUDIT_ACTIONS))
    .option('--head <hash>', 'with verify: the head of an earlier walk, which must still be there')
    .option('--user <user>', 'with list: GitHub login or id')
    .action((action: AuditAction, flags: Flags & AuditFlags) =>
      withDeps(async ({ db }) => {
        const result = await runAudit(db, action, flags);
        show(flags.json, result, () => printAudit(result));
      }),
    );
  add('encryption', 'which keys the database is sealed with; seal all of it with the first of ENCRYPTION_KEY')
    .addArgument(new Argument('<action>').choices(ENCRYPTION_ACTIONS))
    .action((action: EncryptionAction, flags: Flags) =>
      withDeps(async (deps) => {
        const status = await runEncryption(deps, action, io);
        show(flags.json, status, () => printEncryption(status));
      }),
    );
  program
    .command('env')
    .description(
      'for a shell in which `pulumi preview --stack box-<id>` works: eval "$(npm run -s operator -- env)". Prints secrets.',
    )
    .action(() => io.out(printExports(describeShell(io.env))));
  program
    .command('spec <user>')
    .description('the specification that stacks/index.ts begins with, as JSON. Prints secrets.')
    .action((user: string) => withDeps(async (deps) => io.out(JSON.stringify(await loadBoxSpec(deps, user)))));
  return program;

  /** No change without having been read: by a person, or by --yes in a script. */
  async function agree(flags: Flags, preview: () => Promise<Preview>): Promise<void> {
    await confirm(flags, async () => printPreview(await preview()));
  }

  async function confirm(flags: Flags, preview: () => Promise<string>): Promise<void> {
    if (flags.yes) return;
    if (io.confirm === undefined)
      throw new SpoqError('invalid_request', {
        detail: 'There is no terminal to ask on.',
        next: 'Look at the preview, then add --yes.',
      });
    io.say(await preview());
    if (!(await io.confirm('Go ahead?'))) throw new SpoqError('cancelled', { detail: 'Nothing was changed.' });
  }
}

/** The engine's environment, and what our own configuration reads. */
function describeShell(env: OperatorIo['env']): Record<string, string> {
  const config = loadConfig(env);
  const names = [...Object.keys(config), 'PULUMI_HOME'];
  const own = names.flatMap((name) => (env[name] ? [[name, env[name]] as const] : []));
  const engine = createEngineEnvironment(config, env);
  // The language host runs the `node` that it finds first.
  return { ...Object.fromEntries(own), ...engine, PATH: [dirname(process.execPath), engine['PATH']].join(delimiter) };
}

function printLines(values: Record<string, unknown>): string {
  return Object.entries(values)
    .map(([name, value]) => `${name}: ${String(value)}`)
    .join('\n');
}

function explain(error: unknown, io: OperatorIo): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (error instanceof ConfigError) {
    io.say(error.message);
    return EXIT.config;
  }
  if (error instanceof SpoqError) {
    io.say(`${error.title}. ${error.detail ?? ''}`.trim());
    for (const { field, message } of error.faults) io.say(`  ${field}: ${message}`);
    io.say(error.next);
    return error.exit;
  }
  io.say(
    error instanceof Error
      ? `${error.message}${error.cause instanceof Error ? `\n${error.cause.message}` : ''}`
      : String(error),
  );
  return EXIT.software;
}
