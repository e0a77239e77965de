import { expect } from 'chai';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createTerminal } from './terminal.ts';
import { makeRoomForMachines } from './watchers.ts';

describe('room for machines', () => {
  const dir = mkdtempSync(path.join(tmpdir(), 'spoq-watchers-'));
  const file = path.join(dir, 'max_user_instances');
  after(() => rmSync(dir, { recursive: true }));

  function makeRoom(present: number): { room: number; said: string; after: string } {
    writeFileSync(file, `${present}\n`);
    let said = '';
    const room = makeRoomForMachines(createTerminal({ write: (text) => (said += text) }), file);
    return { room, said, after: readFileSync(file, 'utf8').trim() };
  }

  it('is made where there is little, which is said', () => {
    expect(makeRoom(128)).to.deep.equal({
      room: 82,
      said: 'Machines need more of fs.inotify.max_user_instances: raised from 128 to 1024 until this computer restarts.\n',
      after: '1024',
    });
  });

  it('is left as it is where there is enough', () => {
    expect(makeRoom(8192)).to.deep.equal({ room: 680, said: '', after: '8192' });
  });
});
