import { STEPS, STEP_NAMES, type StepName } from '../../contract/vps.ts';
import type { VpsEventRow } from '../db/vps-events.ts';

/** One step of setting up as the page shows it. Times are ISO 8601. */
export interface ProgressStep {
  id: StepName;
  name: string;
  state: 'waiting' | 'running' | 'done' | 'failed';
  message: string;
  started_at: string;
  ended_at: string;
}

/** Folds the events of the latest attempt into the list of steps. The script of the page does the same with what comes later. */
export function presentProgress(events: VpsEventRow[]): { steps: ProgressStep[]; lastSeq: number } {
  const begin = events.findLastIndex((event) => event.step === 'queued' && event.state === 'started');
  const current = events.slice(Math.max(begin, 0));
  const steps = STEP_NAMES.map((id) => {
    const own = current.filter((event) => event.step === id);
    const [first, last] = [own.at(0), own.at(-1)];
    const ended = own.findLast((event) => event.state === 'done' || event.state === 'failed');
    const state = ended === undefined ? (last === undefined ? 'waiting' : 'running') : ended.state;
    return {
      id,
      name: STEPS[id],
      state: state as ProgressStep['state'],
      message: (ended ?? last)?.message ?? '',
      started_at: first?.at.toISOString() ?? '',
      ended_at: ended?.at.toISOString() ?? '',
    };
  });
  return { steps, lastSeq: events.at(-1)?.seq ?? 0 };
}

/** `4 s`, `1 min 20 s`. */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
