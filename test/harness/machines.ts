import type { MachineChoice } from '../../tools/machines.ts';
import { runCommand } from '../../tools/run-command.ts';
import type { CommandResult } from '../../tools/run-command.ts';
import type { TemporaryRun } from '../../tools/temporary-run.ts';

/** `npm test` names here what machines boot from, where they can. */
export const MACHINES_VARIABLE = 'SPOQ_TEST_MACHINES';

export type BootedMachines = Extract<MachineChoice, { kind: 'nspawn' }>;

/** What `npm test` found. Tests on booted machines are only run where there is something. */
export function bootedMachines(): BootedMachines {
  const given = process.env[MACHINES_VARIABLE];
  if (given === undefined) throw new Error('Run this with `npm test -- <file>`, which makes what machines boot from.');
  return JSON.parse(given) as BootedMachines;
}

const EXEC_MS = 120_000;

/**
 * A shell of its own goes into the machine's processes and is waited for by one outside. nsenter's own fork would not do: a system
 * that shuts down stops all its processes for a moment, nsenter then stops itself with them, and nothing ever continues it.
 */
const FROM_OUTSIDE = ['--no-fork', '--', 'sh', '-c', 'sh -c "$1"; exit $?', 'sh'];

/** Runs a shell script inside a booted machine as root, past its sshd: for looking, and for breaking things. */
export function execInside(leader: number, script: string): Promise<CommandResult> {
  const namespaces = ['--mount', '--uts', '--ipc', '--net', '--pid'];
  const env = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root', LANG: 'C.UTF-8' };
  const argv = ['--target', String(leader), ...namespaces, ...FROM_OUTSIDE, script];
  return runCommand('nsenter', argv, { env, cwd: '/', timeoutMs: EXEC_MS });
}

/** As execInside, for scripts that must do what they say: answers stdout, trimmed. */
export async function lookInside(leader: number, script: string): Promise<string> {
  const { code, stdout, stderr } = await execInside(leader, script);
  if (code !== 0) throw new Error(`"${script}" ended with ${code} in the machine: ${stderr}${stdout}`);
  return stdout.trim();
}

/** As lookInside, in the machine that a whole run has at this address. */
export async function lookInsideAt(
  run: Pick<TemporaryRun, 'urls'>,
  address: string | null,
  script: string,
): Promise<string> {
  const views = (await (await fetch(`${run.urls.page}/api/machines`)).json()) as { ipv4: string; root: string }[];
  const view = views.find(({ ipv4 }) => ipv4 === address);
  return lookInside(Number(/\d+/.exec(view?.root ?? '')?.[0]), script);
}
