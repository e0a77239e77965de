import type { RolloutPlan } from '../commands/start-rollout.ts';
import type { RolloutBoxRow, RolloutBoxState, RolloutRow, RolloutState } from '../db/rollouts.ts';
import { printTable } from './print.ts';

/** A rollout as --json shows it. */
export interface RolloutView {
  id: string;
  version: string;
  state: RolloutState;
  max_failures: number;
  created_at: string;
  ended_at: string | null;
  boxes: {
    hostname: string;
    stack: string;
    wave: number;
    state: RolloutBoxState;
    reason: string | null;
    started_at: string | null;
    ended_at: string | null;
  }[];
}

export function presentRollout(rollout: RolloutRow, boxes: (RolloutBoxRow & { hostname: string })[]): RolloutView {
  const { id, version, state, max_failures, created_at, ended_at } = rollout;
  return {
    id,
    version,
    state,
    max_failures,
    created_at: created_at.toISOString(),
    ended_at: ended_at?.toISOString() ?? null,
    boxes: boxes.map((box) => ({
      hostname: box.hostname,
      stack: `box-${box.user_vps_id}`,
      wave: box.wave,
      state: box.state,
      reason: box.reason,
      started_at: box.started_at?.toISOString() ?? null,
      ended_at: box.ended_at?.toISOString() ?? null,
    })),
  };
}

/** What a rollout would do, in plain words. */
export function printPlan({ version, waves, upgraded, not_ready, max_failures }: RolloutPlan): string {
  const total = waves.reduce((sum, size) => sum + size, 0);
  const lines = [
    total === 0
      ? `No box needs ${version}.`
      : `${version} goes to ${count(total)} in ${waves.length === 1 ? 'one wave' : `${waves.length} waves`}: ${waves.join(', ')}.`,
    `${max_failures === 1 ? 'The first box that fails stops it' : `${max_failures} boxes that fail stop it`}; a box that fails goes back to what it had.`,
  ];
  if (upgraded > 0) lines.push(`${count(upgraded)} ${upgraded === 1 ? 'has' : 'have'} it already.`);
  if (not_ready > 0) lines.push(`${count(not_ready)} ${not_ready === 1 ? 'is' : 'are'} not ready, and left alone.`);
  return lines.join('\n');
}

const SENTENCES: Record<RolloutState, string> = {
  running: 'is going on',
  stopped: 'was stopped',
  failed: 'stopped by itself: too many boxes failed',
  done: 'is done',
};
const COLUMNS = ['waiting', 'running', 'done', 'failed', 'passed_over'] as const satisfies RolloutBoxState[];

export function printRollout({ version, state, created_at, boxes }: RolloutView): string {
  const waves = [...new Set(boxes.map(({ wave }) => wave))].toSorted((a, b) => a - b);
  const rows = waves.map((wave) => {
    const members = boxes.filter((box) => box.wave === wave);
    const counts = COLUMNS.map((column) => members.filter((box) => box.state === column).length);
    return [wave, members.length, ...counts].map(String);
  });
  const told = boxes.filter(({ reason }) => reason !== null);
  return [
    `The rollout of ${version}, begun ${created_at}, ${SENTENCES[state]}.`,
    ...(boxes.length === 0 ? ['No box needed it.'] : []),
    ...(rows.length > 0
      ? [printTable(['WAVE', 'BOXES', 'WAITING', 'AT WORK', 'UPGRADED', 'FAILED', 'PASSED OVER'], rows)]
      : []),
    ...told.map((box) => `${box.hostname} ${box.state === 'failed' ? 'failed' : 'was passed over'}: ${box.reason}`),
  ].join('\n');
}

function count(boxes: number): string {
  return boxes === 1 ? '1 box' : `${boxes} boxes`;
}
