import { BudgetReport } from '../../contract/budget.ts';
import type { BudgetName, ChangeBudgetRequest } from '../../contract/budget.ts';
import { SpoqError } from '../../contract/errors.ts';
import { findBox } from '../box/connection.ts';
import { fetchJson } from '../box/fetch-json.ts';
import type { CliDeps } from '../deps.ts';
import { formatCount, formatSeconds } from '../terminal/format.ts';
import { formatUsd } from '../terminal/money.ts';
import { sanitizeLine } from '../terminal/sanitize.ts';
import { canStyle, createStyle } from '../terminal/style.ts';
import { createOnWait } from './show-turn.ts';

/** US dollars. */
export type Amounts = Partial<Record<BudgetName, number | 'none'>>;

export interface BudgetOptions extends Amounts {
  json: boolean;
  noColor: boolean;
}

const PATH = '/api/budget';

/** `spoq budget [set]`: what models may cost on the box, what is spent, and what is left. */
export async function runBudget(deps: CliDeps, action: 'set' | undefined, options: BudgetOptions): Promise<void> {
  const changes = readChanges(options);
  const isChange = Object.keys(changes).length > 0;
  if (isChange && action !== 'set') throw wrongUsage('To change a budget, say so.', 'Try: spoq budget set --day 5');
  if (!isChange && action === 'set') {
    throw wrongUsage('It is not said which budget.', 'Try: spoq budget set --day 5 --month 50 --conversation 2');
  }
  const box = await findBox(deps);
  const onWait = createOnWait(deps, options);
  const request = isChange
    ? ({ method: 'PUT', path: PATH, body: JSON.stringify(changes) } as const)
    : ({ method: 'GET', path: PATH } as const);
  const report = await fetchJson(deps, box, request, BudgetReport, onWait);
  return deps.stdout.write(options.json ? `${JSON.stringify(report)}\n` : describe(deps, report, options));
}

function readChanges({ day, month, conversation }: Amounts): ChangeBudgetRequest {
  const named = Object.entries({ day_usd: day, month_usd: month, conversation_usd: conversation });
  return Object.fromEntries(
    named.filter(([, usd]) => usd !== undefined).map(([name, usd]) => [name, usd === 'none' ? null : usd]),
  );
}

function wrongUsage(detail: string, next: string): SpoqError {
  return new SpoqError('invalid_request', { detail, next });
}

function describe(deps: CliDeps, report: BudgetReport, options: BudgetOptions): string {
  const style = createStyle(canStyle(deps.stdout, deps.env, options.noColor));
  const now = deps.now();
  const rows: [string, string][] = [
    ['Today', describeSpent(report.day)],
    ['', describeEnd(report.day.ends_at, now)],
    ['This month', describeSpent(report.month)],
    ['', describeEnd(report.month.ends_at, now)],
    ['Each conversation', formatLimit(report.conversation.limit_usd)],
  ];
  const models = report.models.map(
    ({ model, calls, cost_usd }) =>
      `${formatUsd(cost_usd).padEnd(11)}${sanitizeLine(model)}, ${formatCount(calls, 'call')}\n`,
  );
  const lines = rows.map(([name, value]) => `${style.dim(name.padEnd(18))}${sanitizeLine(value)}\n`);
  return [...lines, ...(models.length === 0 ? [] : ['\n', ...models])].join('');
}

/** "$1.20 of $5.00, $0.08 at work". */
export function describeSpent({ limit_usd, spent_usd, reserved_usd }: BudgetReport['day']): string {
  const atWork = reserved_usd > 0 ? `, ${formatUsd(reserved_usd)} set aside` : '';
  return `${formatUsd(spent_usd)} of ${formatLimit(limit_usd)}${atWork}`;
}

function formatLimit(usd: number | null): string {
  return usd === null ? 'no limit' : formatUsd(usd);
}

function describeEnd(at: string, now: number): string {
  return `begins anew in ${formatSeconds((Date.parse(at) - now) / 1000)}`;
}
