import { expect } from 'chai';
import { BootPart } from '../../contract/boot.ts';
import type { VpsEventRow } from '../db/vps-events.ts';
import { formatDuration, presentProgress } from './progress.ts';

describe('progress as a page shows it', () => {
  const at = (second: number) => new Date(Date.UTC(2026, 10, 23, 12, 0, second));
  const event = (seq: number, line: string): VpsEventRow => {
    const [step, state, ...words] = line.split(' ') as [VpsEventRow['step'], VpsEventRow['state'], ...string[]];
    const part = words.length === 0 ? null : BootPart.parse({ step: words[0], state: words[1] });
    return { user_vps_id: 'id', seq, step, state, message: line, part, at: at(seq) };
  };
  const show = (lines: string[]) => {
    const { steps, lastSeq } = presentProgress(lines.map((line, index) => event(index + 1, line)));
    return { states: steps.map(({ id, state }) => `${id} ${state}`), steps, lastSeq };
  };

  it('shows what waits, runs and is done', () => {
    const { states, steps, lastSeq } = show(['queued started', 'queued done', 'machine started', 'machine progress']);
    expect(states).to.deep.equal([
      'queued done',
      'keys waiting',
      'machine running',
      'address waiting',
      'box waiting',
      'ready waiting',
    ]);
    expect(lastSeq).to.equal(4);
    expect(steps[2]).to.deep.equal({
      id: 'machine',
      name: 'Getting your machine',
      state: 'running',
      message: 'machine progress',
      started_at: at(3).toISOString(),
      ended_at: '',
      parts: [],
    });
  });

  it('forgets the attempt before the last', () => {
    const { states, lastSeq } = show(['queued started', 'machine started', 'machine failed', 'queued started']);
    expect(states.slice(0, 3)).to.deep.equal(['queued running', 'keys waiting', 'machine waiting']);
    expect(lastSeq).to.equal(4);
  });

  it("shows the machine's own steps under the step of the box, which they do not end", () => {
    const { states, steps } = show([
      'queued started',
      'box progress account started',
      'box progress account done',
      'box progress packages started',
      'machine started',
      'box progress packages failed',
    ]);
    expect(states.slice(2)).to.deep.equal(['machine running', 'address waiting', 'box running', 'ready waiting']);
    expect(steps[4]).to.deep.equal({
      id: 'box',
      name: 'Starting your box',
      state: 'running',
      message: '',
      started_at: at(2).toISOString(),
      ended_at: '',
      parts: [
        { id: 'account', state: 'done', message: 'box progress account done' },
        { id: 'packages', state: 'failed', message: 'Installing packages\nbox progress packages failed' },
      ],
    });
    expect(show(['box progress account done', 'queued started']).steps[4]?.parts).to.deep.equal([]);
    expect(show(['box progress account done', 'box started', 'box done']).states[4]).to.equal('box done');
  });

  it('is empty before anything has happened', () => {
    expect(show([]).lastSeq).to.equal(0);
  });

  it('tells durations in words', () => {
    expect([-5, 400, 59_600, 80_000].map(formatDuration)).to.deep.equal(['0 s', '0 s', '1 min 0 s', '1 min 20 s']);
  });
});
