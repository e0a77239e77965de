import { expect } from 'chai';
import type { SpoqError } from '../contract/errors.ts';
import { awaitName } from './name.ts';

const HERE = '203.0.113.7';

/** Asks with answers in turn, the last one for ever; answers what was said and how it ended. */
async function ask(answers: (string[] | Error)[], addresses = [HERE], waitMs = 5_000) {
  const said: string[] = [];
  const left = [...answers];
  const find = async (): Promise<string[]> => {
    const answer = left.length > 1 ? left.shift() : left[0];
    if (answer instanceof Error) throw answer;
    return answer ?? [];
  };
  const say = (sentence: string): void => void said.push(sentence);
  const end = await awaitName({ hostname: 'alice.spoq.dev', addresses, waitMs, find, say }).catch(
    (error: SpoqError) => `${error.code}: ${error.detail}. ${error.next}`,
  );
  return { said, end };
}

describe('the wait for the name of a box', () => {
  it('ends at once when the name leads here, also beside another address', async () => {
    const end = { said: [], end: 'alice.spoq.dev leads here' };
    expect(await ask([[HERE]])).to.deep.equal(end);
    expect(await ask([['203.0.113.9', HERE]], ['10.0.0.2', HERE])).to.deep.equal(end);
  });

  it('takes any address where the machine knows none of its own', async () => {
    for (const inner of ['10.0.0.2', '172.31.0.2', '192.168.1.2', '100.127.0.2'])
      expect((await ask([['203.0.113.9']], [inner])).end).to.equal('alice.spoq.dev leads here');
    expect((await ask([[]], ['10.0.0.2'], 0)).end).to.match(/^not_ready: alice.spoq.dev has no address yet/);
    expect((await ask([['203.0.113.9']], ['172.32.0.2'], 0)).end).to.match(/^not_ready: /);
  });

  it('goes on until the record is there, and says each thing once', async () => {
    const refused = Object.assign(new Error('queryA'), { code: 'EREFUSED' });
    const { said, end } = await ask([refused, [], [], [HERE]]);
    expect(said).to.deep.equal([
      'waiting, since nobody can say where alice.spoq.dev leads to (EREFUSED)',
      'waiting, since alice.spoq.dev has no address yet',
    ]);
    expect(end).to.equal('alice.spoq.dev leads here');
  }).timeout(10_000);

  it('gives up when the time is over, and says where the name leads instead', async () => {
    expect(await ask([['203.0.113.9']], [HERE], 0)).to.deep.equal({
      said: [],
      end:
        `not_ready: alice.spoq.dev leads to 203.0.113.9, which is not this machine (${HERE}). ` +
        `Its A record must be ${HERE}.`,
    });
  });
});
