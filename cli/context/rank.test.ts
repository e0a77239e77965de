import { expect } from 'chai';
import type { Candidate } from './candidate.ts';
import { rankCandidates } from './rank.ts';

const tracked = (path: string): Candidate => ({ path, file: `/r/${path}`, origin: 'tracked', allowed: false });
const rank = (all: string[], question: string, here = '', sizes: Record<string, number> = {}): string[] =>
  rankCandidates(all.map(tracked), question, here, new Map(Object.entries(sizes))).map((one) => one.path);

describe('rankCandidates', () => {
  it('puts named files first, then what introduces the project, last what machines write', () => {
    const all = ['package-lock.json', 'a.ts', 'README.md', 'dist/x.js', 'src/auth/token.ts', 'docs/README.md'];
    expect(rank(all, 'Why does token.ts fail?')).to.deep.equal([
      'src/auth/token.ts',
      'README.md',
      'a.ts',
      'docs/README.md',
      'package-lock.json',
      'dist/x.js',
    ]);
  });

  it('knows a file by its path, its name and its stem', () => {
    const all = ['x/one.ts', 'y/one.ts', 'y/parser.ts', 'z/abc.ts'];
    expect(rank(all, 'see y/one.ts')[0]).to.equal('y/one.ts');
    expect(rank(all, 'how does the Parser work')[0]).to.equal('y/parser.ts');
    expect(rank(all, 'abc and d')[0]).to.equal('x/one.ts');
  });

  it('puts the conventions of the project before everything that is not named, from its root down to here', () => {
    const all = ['AGENTS.md', 'README.md', 'app/AGENTS.md', 'app/main.ts', 'other/AGENTS.md'];
    expect(rank(all, 'why?', 'app').slice(0, 2)).to.have.members(['AGENTS.md', 'app/AGENTS.md']);
    expect(rank(all, 'why?', 'app').at(-1)).to.equal('other/AGENTS.md');
  });

  it('prefers near to far, then small to large', () => {
    const all = ['far/away/x.ts', 'app/big.ts', 'app/small.ts', 'app/sub/y.ts'];
    const sizes = { 'app/big.ts': 900, 'app/small.ts': 10 };
    expect(rank(all, '', 'app', sizes)).to.deep.equal(['app/small.ts', 'app/big.ts', 'app/sub/y.ts', 'far/away/x.ts']);
  });

  it('prefers tracked to untracked', () => {
    const found: Candidate = { ...tracked('a.ts'), origin: 'found' };
    expect(rankCandidates([found, tracked('z/b.ts')], '', '', new Map()).map((one) => one.path)).to.deep.equal([
      'z/b.ts',
      'a.ts',
    ]);
  });
});
