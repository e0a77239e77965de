import { BoxStatus } from '../../contract/conductor.ts';
import { SpoqError } from '../../contract/errors.ts';
import { findCredentialsPath, showPath } from '../auth/credentials.ts';
import { callBox, findBox } from '../box/connection.ts';
import type { BoxAccess } from '../box/connection.ts';
import type { OnWait } from '../box/patience.ts';
import type { CliDeps } from '../deps.ts';
import { parseJson } from '../http/problem.ts';
import { asUnreachable } from '../http/failure.ts';
import { describeNotice } from '../terminal/notice.ts';
import { formatBytes, formatCount, formatSeconds } from '../terminal/format.ts';
import { describeSpent } from './budget.ts';
import { sanitizeLine } from '../terminal/sanitize.ts';
import { startSpinner } from '../terminal/spinner.ts';
import { canStyle, createStyle } from '../terminal/style.ts';

export interface StatusOptions {
  json: boolean;
  noColor: boolean;
}

/** `spoq status`: which box this computer talks to, how the box is, and until when the sign-in holds. */
export async function runStatus(deps: CliDeps, options: StatusOptions): Promise<void> {
  const box = await findBox(deps);
  const spinner = options.json ? undefined : startSpinner(deps, `Asking ${box.url.hostname}…`);
  const onWait: OnWait = async (message) =>
    spinner?.say(message) ?? deps.stderr.write(`${JSON.stringify({ type: 'waiting', message })}\n`);
  const answer = await fetchStatus(deps, box, onWait)
    .catch((error: unknown) => {
      if (error instanceof SpoqError && error.code !== 'cancelled') return error;
      throw error;
    })
    .finally(() => spinner?.stop());
  const status = answer instanceof SpoqError ? null : answer;
  await deps.stdout.write(options.json ? describeJson(deps, box, status) : describeTable(deps, box, status, options));
  if (answer instanceof SpoqError) throw answer;
}

async function fetchStatus(deps: CliDeps, box: BoxAccess, onWait: OnWait): Promise<BoxStatus> {
  const request = { method: 'GET', path: '/api/status', accept: 'application/json' } as const;
  const response = await callBox(deps, box, request, onWait);
  const text = await response.text().catch((error: unknown) => {
    throw asUnreachable('box_unreachable', error);
  });
  const status = BoxStatus.safeParse(parseJson(text));
  if (status.success) return status.data;
  throw new SpoqError('box_unreachable', { detail: `${box.url.hostname} answered, but not as a box does.` });
}

function describeJson(deps: CliDeps, box: BoxAccess, status: BoxStatus | null): string {
  const report = {
    url: box.url.origin,
    on_box: box.on_box,
    user_id: box.user_id ?? null,
    token_expires_at: box.expires_at ?? null,
    notice: box.notice ?? null,
    credentials_path: box.on_box ? null : findCredentialsPath(deps),
    box: status,
  };
  return `${JSON.stringify(report)}\n`;
}

function describeTable(deps: CliDeps, box: BoxAccess, status: BoxStatus | null, options: StatusOptions): string {
  const style = createStyle(canStyle(deps.stdout, deps.env, options.noColor));
  const subscription: [string, string][] = box.notice === undefined ? [] : [['Paying', describeNotice(box.notice)]];
  const rows = [...describeBox(box, status, deps.now()), ...subscription, ...describeSignIn(deps, box)];
  return rows.map(([name, value]) => `${style.dim(name.padEnd(11))} ${sanitizeLine(value)}\n`).join('');
}

function describeBox(box: BoxAccess, status: BoxStatus | null, now: number): [string, string][] {
  const host = box.on_box ? `this machine (${status?.hostname ?? box.url.host})` : box.url.hostname;
  if (status === null)
    return [
      ['Box', host],
      ['State', 'no answer'],
    ];
  const { memory, disk } = status;
  return [
    ['Box', host],
    [
      'State',
      `running for ${formatSeconds(status.uptime_seconds)}, ${formatCount(status.running, 'answer')} being written`,
    ],
    ['Model', status.model ?? 'none configured'],
    ['Load', status.load_average.toFixed(2)],
    ['Memory', `${formatBytes(memory.free_bytes)} free of ${formatBytes(memory.total_bytes)}`],
    ['Disk', `${formatBytes(disk.free_bytes)} free of ${formatBytes(disk.total_bytes)}`],
    ['Version', describeVersions(status)],
    ...describeCertificate(status, now),
    ...describeBudget(status),
    ...describeWork(status),
    ...status.unreachable.map(({ service, since, reason }): [string, string] => {
      const name = service === 'control_plane' ? 'Spoq' : 'the model provider';
      return ['Unreached', `${name}, for ${formatSeconds((now - Date.parse(since)) / 1000)}: ${reason}`];
    }),
  ];
}

/** Of an older box, its own version is all that is known. */
function describeVersions({ version, versions }: BoxStatus): string {
  if (versions === undefined) return version;
  const { spoq, system } = versions;
  return [
    `conductor ${version}`,
    ...(spoq === null ? [] : [`spoq ${spoq}`]),
    ...(system === null ? [] : [system]),
  ].join(', ');
}

function describeCertificate({ certificate }: BoxStatus, now: number): [string, string][] {
  if (certificate === undefined) return [];
  if (certificate === null) return [['Certificate', 'the front door does not answer']];
  const left = (Date.parse(certificate.ends_at) - now) / 1000;
  const end = left > 0 ? `for another ${formatSeconds(left)}` : 'which has run out';
  return [['Certificate', `${certificate.name}, ${end}`]];
}

function describeBudget({ budget }: BoxStatus): [string, string][] {
  if (budget === undefined) return [];
  return [
    ['Today', describeSpent(budget.day)],
    ['This month', describeSpent(budget.month)],
  ];
}

function describeWork({ work = [] }: BoxStatus): [string, string][] {
  return work.map(({ id, title, state, last_kind }) => [
    state === 'waiting' ? 'Waits' : 'At work',
    `${id.slice(0, 8)} ${last_kind}: ${title}`,
  ]);
}

function describeSignIn(deps: CliDeps, box: BoxAccess): [string, string][] {
  if (box.on_box) return [['Sign-in', 'not needed here']];
  const left = formatSeconds((Date.parse(box.expires_at ?? '') - deps.now()) / 1000);
  return [
    ['Sign-in', `renews itself; the present token lasts ${left} (until ${box.expires_at ?? ''})`],
    ['Kept in', showPath(findCredentialsPath(deps), deps.homeFolder)],
  ];
}
