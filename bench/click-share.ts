import type { BootPart } from '../contract/boot.ts';
import type { ProviderName, StepName } from '../contract/vps.ts';
import { summarize } from './statistics.ts';
import type { Summary } from './statistics.ts';

/** What was measured at one vendor, in milliseconds; the rows have one value a round. */
export interface ClickToReady {
  provider: ProviderName;
  /** From the request for a box until it is `ready`. */
  click: number[];
  /** What the sandbox's vendor takes its time for before it switches a machine on. */
  vendor_ms: number;
  /** The same machine with the same document, without a control plane: from power on until it is set up and answers. */
  boot: number[];
  /** The engine's run for such a box at vendors and with a machine that take no time. */
  engine: number[];
  /** Where the time from the click went, one row each, in order. */
  steps: Record<string, number[]>;
}

/** What of the time from the click neither the vendor, nor the machine, nor the engine needs. */
export function restOfClick({ click, vendor_ms, boot, engine }: ClickToReady): number[] {
  return click.map((ms, round) => ms - vendor_ms - (boot[round] ?? Number.NaN) - (engine[round] ?? Number.NaN));
}

/** That as a share of the time from the click, round by round. */
export function shareOfClick(row: ClickToReady): Summary {
  return summarize(restOfClick(row).map((ms, round) => ms / (row.click[round] ?? Number.NaN)));
}

/** A line of a box's progress, as the database keeps it. */
export interface ProgressLine {
  step: StepName;
  state: string;
  part: BootPart | null;
  at: Date;
}

/** Each part of the way ends with a line of progress. */
const WAY: [name: string, isEnd: (line: ProgressLine) => boolean][] = [
  ['a worker takes it', ({ step, state }) => step === 'queued' && state === 'done'],
  ['the engine starts and makes keys', ({ step, state }) => step === 'machine' && state === 'started'],
  [
    'the vendor is asked, until it says that the machine runs',
    ({ step, state }) => step === 'machine' && state === 'done',
  ],
  ['the name', ({ step, state }) => step === 'address' && state === 'done'],
  ['the machine, until its last step is reported', ({ part }) => part?.step === 'caddy' && part.state === 'done'],
  ['it answers, and is told password and release', ({ step, state }) => step === 'box' && state === 'done'],
  ['the engine ends, and all is written down', ({ step }) => step === 'ready'],
];

/** How many milliseconds each part of the way took. What was told late, or never, took none: then the next part has its time. */
export function splitWay(clickedAt: number, lines: readonly ProgressLine[]): Record<string, number> {
  let before = clickedAt;
  return Object.fromEntries(
    WAY.map(([name, isEnd]) => {
      const end = Math.max(before, lines.find(isEnd)?.at.getTime() ?? before);
      const took = end - before;
      before = end;
      return [name, took];
    }),
  );
}
