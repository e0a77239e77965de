import { SpoqError } from '../../contract/errors.ts';
import { toProblem } from '../../contract/problem.ts';
import type { CliDeps } from '../deps.ts';
import { formatSeconds } from './format.ts';
import { sanitizeLine } from './sanitize.ts';
import { canStyle, createStyle } from './style.ts';

export interface ReportOptions {
  json: boolean;
  noColor: boolean;
}

/**
 * Says on stderr what happened and what to do next, as a problem document with `--json`. Returns the exit code. An error
 * that nobody expected is a fault of this program: it is named, and SPOQ_DEBUG=1 shows where it came from.
 */
export async function reportError(deps: CliDeps, error: unknown, options: ReportOptions): Promise<number> {
  const known = error instanceof SpoqError ? error : wrapUnexpected(error, deps.env.SPOQ_DEBUG === '1');
  const style = createStyle(canStyle(deps.stderr, deps.env, options.noColor));
  if (options.json) await deps.stderr.write(`${JSON.stringify(toProblem(known))}\n`);
  else if (known.code === 'cancelled') await deps.stderr.write(`${sanitizeLine(known.detail ?? 'Stopped.')}\n`);
  else await deps.stderr.write(describeError(known, style));
  return known.exit;
}

function describeError(error: SpoqError, style: ReturnType<typeof createStyle>): string {
  const lines = [`${style.red('✗')} ${style.bold(`${error.title}.`)}`];
  if (error.detail !== undefined) lines.push(`  ${error.detail.split('\n').map(sanitizeLine).join('\n  ')}`);
  for (const fault of error.faults) lines.push(`  ${sanitizeLine(`${fault.field}: ${fault.message}`)}`);
  if (error.retryAfterSeconds !== undefined) lines.push(`  Wait ${formatSeconds(error.retryAfterSeconds)}.`);
  lines.push(`  ${sanitizeLine(error.next)}`);
  return `${lines.join('\n')}\n`;
}

function wrapUnexpected(error: unknown, debug: boolean): SpoqError {
  const shown =
    error instanceof Error
      ? debug
        ? (error.stack ?? error.message)
        : `${error.name}: ${error.message}`
      : String(error);
  return new SpoqError('internal', {
    detail: `This is a fault in spoq itself. ${shown}`,
    next: 'Try again with SPOQ_DEBUG=1 and tell us what it says.',
    cause: error,
  });
}
