import { expect } from 'chai';
import { findUser } from '../db/users.ts';
import { createBoxWorld, type BoxWorld } from '../testing/box-world.ts';
import { provisionBox } from './provision-box.ts';

describe('the host name of a box', function () {
  this.timeout(30_000);
  let world: BoxWorld;
  before(async () => {
    world = await createBoxWorld();
  });
  after(() => world.close());

  it('is the lower case of the login, and a case twin has another: the index holds them apart', async () => {
    const names: string[] = [];
    for (const login of ['Twin', 'tWIN', 'twin']) {
      const { browser, userId } = await world.becomeReady(login);
      await browser.post('/api/vps/provision', { region: 'EU' });
      names.push((await world.database.db('user_vps').where('user_id', userId).first('hostname')).hostname);
    }
    expect(names).to.deep.equal(['twin.spoq.localhost', 'twin-2.spoq.localhost', 'twin-3.spoq.localhost']);
    const taken = world.database.db('user_vps').where('hostname', 'twin-3.spoq.localhost').update({
      hostname: 'twin.spoq.localhost',
    });
    const refused: unknown = await taken.then(
      () => 'taken',
      (error: unknown) => error,
    );
    expect(refused).to.include({ code: '23505' });
  });

  it("is never the control plane's own, whose name may stand in the same zone", async () => {
    const { userId } = await world.becomeReady('console');
    const user = await findUser(world.database.db, userId);
    if (user === undefined) return expect.fail('nobody has signed in');
    const config = { ...world.cp.deps.config, BASE_URL: 'https://console.spoq.localhost:8443' };
    const box = await provisionBox({ ...world.cp.deps, config }, user, { region: 'EU', retry: false, ip: '127.0.0.1' });
    expect(box.hostname).to.equal('console-2.spoq.localhost');
  });
});
