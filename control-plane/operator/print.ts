import { quoteForShell } from '../engine/environment.ts';
import type { EngineEvent, Preview, VendorMachine } from '../engine/engine.ts';
import type { BoxOfUser } from './find-box.ts';

/** Rows under a head, in columns as wide as they must be. */
export function printTable(head: string[], rows: string[][]): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  return [head, ...rows]
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** A box as --json shows it: columns only, nothing that is sealed. */
export function presentBox(box: BoxOfUser): Record<string, unknown> {
  const { id, username, user_id, provider, provider_instance_id, hostname, ip_address, region, plan } = box;
  const { status, failure, operation, operation_failure, release_version } = box;
  return {
    id,
    username,
    user_id,
    provider,
    provider_instance_id,
    hostname,
    ip_address,
    region,
    plan,
    status,
    failure,
    release_version,
    operation,
    operation_failure,
  };
}

/** `ready, restart`, or `ready, restart failed`. */
function presentStatus({ status, operation, operation_failure: failure }: BoxOfUser): string {
  if (status !== 'ready' || operation === null) return status;
  return `${status}, ${operation}${failure === null ? '' : ' failed'}`;
}

export function printBoxes(boxes: BoxOfUser[]): string {
  if (boxes.length === 0) return 'There are no boxes.';
  const rows = boxes.map((box) => [
    box.username,
    box.hostname,
    presentStatus(box),
    box.provider,
    box.region,
    box.ip_address ?? '-',
    `box-${box.id}`,
  ]);
  return printTable(['USER', 'HOST NAME', 'STATUS', 'PROVIDER', 'REGION', 'ADDRESS', 'STACK'], rows);
}

export function printPreview(preview: Preview): string {
  return preview.summary.join('\n');
}

export function printEvent({ step, state, message }: EngineEvent): string {
  return `${step.padEnd(8)} ${(state === 'progress' ? '...' : state).padEnd(7)} ${message}`;
}

export function printMachines(machines: VendorMachine[]): string {
  if (machines.length === 0) return 'Nothing was left at the vendor.';
  return machines
    .map(
      (one) =>
        `${one.provider} ${one.provider_instance_id}: wiped, ${one.ends_at === null ? 'its end is not known yet' : `paid until ${one.ends_at}`}.`,
    )
    .join('\n');
}

/** What a POSIX shell evaluates to have these variables. */
export function printExports(variables: Record<string, string>): string {
  return Object.entries(variables)
    .toSorted(([a], [b]) => a.localeCompare(b))
    .map(([name, value]) => `export ${name}=${quoteForShell(value)}`)
    .join('\n');
}
