import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { expect } from 'chai';
import { withProcess } from './testing/process-scenes.ts';
import { sendJson } from './testing/fake-server.ts';
import { SOURCE_PROGRAM } from './testing/run-spoq.ts';

const KEY = 'sk-planted-of-the-owner-9876';
const LIST = {
  keys: [{ provider: 'anthropic', source: 'own', last_four: '9876', set_at: '2026-01-02T03:04:05Z', state: 'works' }],
  providers: ['anthropic', 'openai'],
};

describe('spoq keys set on a terminal', () => {
  before(function () {
    if (spawnSync('script', ['--version']).status !== 0) this.skip();
  });

  /** Types `typed` once it is asked. Answers all that the terminal was sent, what the box was sent, and the exit code. */
  async function type(typed: string): Promise<{ seen: string; bodies: string[]; code: number }> {
    let result = { seen: '', bodies: [] as string[], code: -1 };
    await withProcess(
      { 'PUT /api/keys/anthropic': (_, res) => sendJson(res, 200, LIST) },
      async ({ cwd, env, server }) => {
        const all = { PATH: process.env.PATH ?? '', TERM: 'xterm', SPOQ_VPS_MARKER: '/nonexistent/vps.marker', ...env };
        const command = `stty cols 40; ${SOURCE_PROGRAM.join(' ')} keys set anthropic`;
        const child = spawn('script', ['-qec', command, '/dev/null'], {
          cwd,
          env: all,
          stdio: ['pipe', 'pipe', 'inherit'],
        });
        let seen = '';
        let isTyped = false;
        child.stdout.setEncoding('utf8').on('data', (text: string) => {
          seen += text;
          if (isTyped || !seen.includes('Key of anthropic')) return;
          isTyped = true;
          child.stdin.write(typed);
        });
        const [code] = (await once(child, 'close')) as [number];
        result = { seen, bodies: server.requests.map(({ body }) => body), code };
      },
    );
    return result;
  }

  it('shows nothing of what is typed', async () => {
    const { seen, bodies, code } = await type(`${KEY}\r`);
    expect([code, bodies]).to.deep.equal([0, [JSON.stringify({ key: KEY, check: true })]]);
    expect(seen).to.contain('(…9876)');
    expect(seen).not.to.match(/planted|\*\*\*/);
  });

  for (const [name, typed] of [
    ['Ctrl-C', '\u0003'],
    ['Ctrl-C in the middle', `${KEY.slice(0, 9)}\u0003`],
    ['Ctrl-D', '\u0004'],
    ['Escape', '\u001b'],
  ] as const) {
    it(`ends at ${name}, and sends nothing`, async () => {
      const { seen, bodies, code } = await type(typed);
      expect([code, bodies]).to.deep.equal([130, []]);
      expect(seen).to.contain('Stopped.').and.not.to.contain('planted');
    });
  }
});
