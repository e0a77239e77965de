import { SpoqError } from '../../contract/errors.ts';
import type { Standing } from './standing.ts';

const NAMES = { day: 'today', month: 'this month', conversation: 'this conversation' } as const;

/** `budget_exceeded`: which budget, what was spent, what the call would cost, when it opens again. */
export function refuseCall({ name, limit, spent, reserved, endsAt }: Standing, wanted: number, at: number): SpoqError {
  const atWork = reserved > 0 ? `, ${formatUsd(reserved)} is set aside for calls at work` : '';
  const said = `The budget of ${NAMES[name]} is ${formatUsd(limit)}: ${formatUsd(spent)} is spent${atWork}`;
  const opens = endsAt === undefined ? '' : ` It opens again at ${new Date(endsAt).toISOString().slice(0, 16)}Z.`;
  return new SpoqError('budget_exceeded', {
    detail: `${said}, and this call may cost up to ${formatUsd(wanted)}.${opens}`,
    ...(endsAt === undefined
      ? {
          next: 'What was said is kept. Raise the budget with `spoq budget set --conversation`, or begin another conversation.',
        }
      : {
          next: `What was said is kept. Raise the budget with \`spoq budget set --${name}\`, or wait until it opens again.`,
          retryAfterSeconds: Math.ceil((endsAt - at) / 1000),
        }),
  });
}

/** Two digits after the point; for what is less than ten cents as many as say something. */
export function formatUsd(micros: number): string {
  const usd = micros / 1_000_000;
  return `$${usd === 0 || usd >= 0.1 ? usd.toFixed(2) : usd.toPrecision(2)}`;
}
