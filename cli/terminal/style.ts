import picocolors from 'picocolors';
import type { CliDeps, Output } from '../deps.ts';

export type Style = ReturnType<typeof picocolors.createColors>;

/** Whether escape sequences may be written: on a terminal that understands them, unless NO_COLOR or --no-color says no. */
export function canStyle(output: Output, env: CliDeps['env'], noColor: boolean): boolean {
  return output.isTTY && !noColor && !env.NO_COLOR && env.TERM !== 'dumb';
}

/** Colours for one output, or functions that change nothing. */
export function createStyle(enabled: boolean): Style {
  return picocolors.createColors(enabled);
}
