import { BOOT_STEPS, type BootStep } from '../../contract/boot.ts';
import { SETUP_STEPS, STEP_NAMES, type StepName } from '../../contract/vps.ts';
import type { VpsEventRow } from '../db/vps-events.ts';

type State = 'waiting' | 'running' | 'done' | 'failed';

/** One step of setting up as the page shows it. Times are ISO 8601. */
export interface ProgressStep {
  id: StepName;
  name: string;
  state: State;
  message: string;
  started_at: string;
  ended_at: string;
  /** What the machine tells of its own set-up, in the order in which it began. */
  parts: ProgressPart[];
}

export interface ProgressPart {
  id: BootStep;
  /** What it does, or has done; of a step that failed its last lines too. */
  message: string;
  state: Exclude<State, 'waiting'>;
}

/** Folds the events of the latest attempt into the list of steps that have a name. The script of the page does the same with what comes later. */
export function presentProgress(
  events: VpsEventRow[],
  names: Partial<Record<StepName, string>> = SETUP_STEPS,
): { steps: ProgressStep[]; lastSeq: number } {
  const begin = events.findLastIndex((event) => event.step === 'queued' && event.state === 'started');
  const current = events.slice(Math.max(begin, 0));
  const steps = STEP_NAMES.flatMap((id): ProgressStep[] => {
    const name = names[id];
    if (name === undefined) return [];
    const own = current.filter((event) => event.step === id);
    const told = own.filter((event) => event.part === null);
    const [first, last] = [own.at(0), own.at(-1)];
    const ended = told.findLast((event) => event.state === 'done' || event.state === 'failed');
    const state: State = ended === undefined ? (last === undefined ? 'waiting' : 'running') : toState(ended.state);
    return [
      {
        id,
        name,
        state,
        message: (ended ?? told.at(-1))?.message ?? '',
        started_at: first?.at.toISOString() ?? '',
        ended_at: ended?.at.toISOString() ?? '',
        parts: presentParts(own),
      },
    ];
  });
  return { steps, lastSeq: events.at(-1)?.seq ?? 0 };
}

function presentParts(events: VpsEventRow[]): ProgressPart[] {
  const parts = new Map<BootStep, ProgressPart>();
  for (const { part, message } of events) {
    if (part === null) continue;
    const state = toState(part.state);
    const shown = part.state === 'failed' ? `${BOOT_STEPS[part.step].doing}\n${message}` : message;
    parts.set(part.step, { id: part.step, state, message: shown });
  }
  return [...parts.values()];
}

function toState(state: VpsEventRow['state']): Exclude<State, 'waiting'> {
  return state === 'done' || state === 'failed' ? state : 'running';
}

/** `4 s`, `1 min 20 s`. */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
