import { expect } from 'chai';
import type { Entry } from '../contract/workspaces.ts';
import { mergeTrees } from './merge.ts';
import type { Direction, Holds, Merge } from './merge.ts';

const file = (text: string, mode = 0o644): Entry => ({
  kind: 'file',
  mode,
  size: text.length,
  hash: text.padEnd(64, '0'),
});
const folder: Entry = { kind: 'folder', mode: 0o755 };
type Tree = Record<string, Entry>;
const ALL: Holds = { case: true, unicode: true };

function merge(base: Tree, mine: Tree, theirs: Tree, direction: Direction = 'both', holds = ALL): Merge {
  const side = (tree: Tree, of: Holds) => ({
    manifest: new Map(Object.entries(tree)),
    excludes: () => false,
    holds: of,
  });
  return mergeTrees({
    base: new Map(Object.entries(base)),
    changed: [base, mine, theirs].flatMap((tree) => Object.keys(tree)),
    mine: side(mine, holds),
    theirs: side(theirs, ALL),
    direction,
    labels: { here: 'laptop', box: 'alice', time: '20260102-030405' },
  });
}
const wants = (steps: Merge['mine']): Record<string, string | null> =>
  Object.fromEntries(
    steps.map(({ path, want }) => [
      path,
      want === null ? null : want.kind === 'file' ? want.hash.replace(/0+$/, '') : want.kind,
    ]),
  );

describe('three trees', () => {
  it('bring what one side changed to the other', () => {
    const { mine, theirs, notes } = merge(
      { a: file('a'), b: file('b'), c: file('c') },
      { a: file('x'), b: file('b') },
      { a: file('a'), b: file('y'), c: file('c'), d: file('d') },
    );
    expect([wants(mine), wants(theirs), notes]).to.deep.equal([{ b: 'y', d: 'd' }, { a: 'x', c: null }, []]);
  });

  it('leave alone what both changed equally', () => {
    const { mine, theirs, agreed } = merge({ a: file('a') }, { a: file('x') }, { a: file('x') });
    expect([mine, theirs, agreed]).to.deep.equal([[], [], [['a', file('x')]]]);
  });

  it('keep both versions of a file, and a file beside a folder of its name', () => {
    const both = merge({ 'a.txt': file('a') }, { 'a.txt': file('m') }, { 'a.txt': file('t') });
    expect([wants(both.mine), wants(both.theirs)]).to.deep.equal([
      { 'a.conflict-alice-20260102-030405.txt': 't' },
      { 'a.txt': 'm', 'a.conflict-alice-20260102-030405.txt': 't' },
    ]);
    const shape = merge({}, { x: file('m') }, { x: folder, 'x/y': file('t') });
    expect(wants(shape.mine)).to.deep.equal({ x: 'folder', 'x.conflict-laptop-20260102-030405': 'm', 'x/y': 't' });
    expect(wants(shape.theirs)).to.deep.equal({ 'x.conflict-laptop-20260102-030405': 'm' });
    expect(shape.notes).to.deep.equal([
      { type: 'conflict', path: 'x', kept_as: 'x.conflict-laptop-20260102-030405', version_of: 'here' },
    ]);
    const under = merge({ x: folder, 'x/y': file('b') }, { x: file('m') }, { x: folder, 'x/y': file('t') });
    expect(wants(under.mine)).to.deep.equal({ x: 'folder', 'x/y': 't', 'x.conflict-laptop-20260102-030405': 'm' });
    expect(wants(under.theirs)).to.deep.equal({ 'x.conflict-laptop-20260102-030405': 'm' });
  });

  it('let a change win over a deletion, and say so', () => {
    const { mine, theirs, notes } = merge({ a: file('a'), b: file('b') }, { b: file('m') }, { a: file('t') });
    expect([wants(mine), wants(theirs)]).to.deep.equal([{ a: 't' }, { b: 'm' }]);
    expect(notes).to.deep.equal([
      { type: 'kept', path: 'a', deleted_on: 'here' },
      { type: 'kept', path: 'b', deleted_on: 'box' },
    ]);
  });

  it('bring a conflict once when pulled, not at each pull', () => {
    const { mine, theirs, agreed } = merge({ a: file('a') }, { a: file('m') }, { a: file('t') }, 'pull');
    expect([wants(mine), theirs, agreed]).to.deep.equal([
      { 'a.conflict-alice-20260102-030405': 't' },
      [],
      [['a', file('t')]],
    ]);
  });

  it('leaves a twin where it is that the other side could not tell from another', () => {
    const mac: Holds = { case: false, unicode: false };
    const { mine, notes } = merge(
      {},
      { README: file('m') },
      { readme: file('t'), 'e\u0301': file('1'), '\u00e9': file('2'), 'Src/a': file('a') },
      'both',
      mac,
    );
    expect(wants(mine)).to.deep.equal({ 'Src/a': 'a', 'e\u0301': '1' });
    expect(notes).to.deep.include({ type: 'twin', path: 'readme', twin: 'README' });
    expect(notes.filter(({ type }) => type === 'twin').length).to.equal(2);
  });
});
