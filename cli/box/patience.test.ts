import { expect } from 'chai';
import { SpoqError } from '../../contract/errors.ts';
import { createTestDeps } from '../testing/create-test-deps.ts';
import { callPatiently } from './patience.ts';
import type { Absence } from './patience.ts';

describe('callPatiently', () => {
  async function callAbsent(absence: Absence | undefined): Promise<{ waits: number[]; said: string[] }> {
    const deps = createTestDeps();
    const said: string[] = [];
    const error = new SpoqError('box_unreachable');
    const result = await callPatiently(
      deps,
      async () => ({ error, absence }),
      async (message) => void said.push(message),
    );
    expect(result).to.deep.equal({ error, absence });
    return { waits: deps.waits, said };
  }
  const sum = (waits: number[]): number => waits.reduce((total, ms) => total + ms, 0);

  it('gives a box that restarts the time in which answers may end', async () => {
    const { waits, said } = await callAbsent('restarting');
    expect(waits.slice(0, 4)).to.deep.equal([500, 1000, 2000, 2000]);
    expect(sum(waits)).to.be.within(43_000, 45_000);
    expect(said).to.deep.equal(['The box is restarting; trying again for up to 45 s.']);
  });

  it('gives a box that is gone up after ten seconds, longer than a crash takes', async () => {
    expect(sum((await callAbsent('gone')).waits)).to.be.within(8000, 10_000);
  });

  it('asks once where something else is wrong', async () => {
    expect(await callAbsent(undefined)).to.deep.equal({ waits: [], said: [] });
  });

  it('stops waiting when the person does', async () => {
    const deps = createTestDeps();
    deps.stop.abort(new SpoqError('cancelled'));
    const error = new SpoqError('box_unreachable');
    const stopped = await callPatiently(
      deps,
      async () => ({ error, absence: 'gone' as const }),
      async () => undefined,
    ).catch((thrown: unknown) => thrown);
    expect(stopped).to.include({ code: 'cancelled' });
  });
});
