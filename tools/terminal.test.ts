import { expect } from 'chai';
import { createTerminal, formatSeconds } from './terminal.ts';

describe('createTerminal', () => {
  it('writes one line per step to a pipe, without colours', async () => {
    let text = '';
    const terminal = createTerminal({ write: (chunk) => (text += chunk) });
    expect(await terminal.step('Postgres', async () => 5)).to.equal(5);
    const failure = await terminal
      .step('Worker', () => Promise.reject(new Error('no')))
      .catch((error: unknown) => error);
    expect(failure).to.be.an('error').with.property('message', 'no');
    expect(text).to.equal('✓ Postgres 0.0 s\n✗ Worker 0.0 s\n');
  });

  it('wipes its spinner from a terminal before it writes the line that stays', async () => {
    let text = '';
    const terminal = createTerminal({ write: (chunk) => (text += chunk), isTTY: true, columns: 40 }, { color: false });
    await terminal.step('Building', async (update) => {
      update('a detail that is much too long for a terminal of forty columns');
      for (const began = text.length; text.length === began;) await new Promise((resolve) => setTimeout(resolve, 10));
    });
    const [drawn = '', kept = ''] = text.split('✓');
    expect(drawn).to.match(/⠋ Building … 0\.\d s {2}a detail/);
    expect(drawn.replaceAll('\r\u001B[2K', '').length).to.be.lessThan(40);
    expect(drawn.endsWith('\r\u001B[2K')).to.equal(true);
    expect(kept).to.match(/^ Building 0\.\d s\n$/);
  });

  it('gives times as people say them', () => {
    expect([0, 949, 9940, 61_000, 3_599_900].map(formatSeconds)).to.deep.equal([
      '0.0 s',
      '0.9 s',
      '9.9 s',
      '1 min 1 s',
      '60 min 0 s',
    ]);
  });
});
