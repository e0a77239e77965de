import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { Credentials } from '../../contract/files.ts';
import { findOnPath, runCommand } from '../run-command.ts';
import { toText } from './html.ts';
import { findForm } from './person.ts';
import { MARKER, PLANTED, makeRepository } from './repository.ts';
import { check } from './story.ts';
import type { Step } from './story.ts';
import type { World } from './world.ts';

const SIGNED_OUT = 4;

/** What a person does at their own computer, with the real executable. */
export const USE: readonly Step<World>[] = [
  {
    name: 'install',
    title: 'The install line',
    async run(world) {
      const { baseUrl, prepared, scratch } = world.run;
      const response = await world.person.open(`${baseUrl}/install.sh`, {});
      const script = await response.text();
      check(response.ok && script.includes(baseUrl), `install.sh answered ${response.status}`);
      const searchPath = world.run.environment['PATH'];
      const canRun =
        findOnPath('bash', searchPath) !== undefined && ['curl', 'wget'].some((name) => findOnPath(name, searchPath));
      if (!canRun || prepared.spoq.length > 1) return 'answers; not run: no curl, or nothing was compiled';
      const dir = path.join(scratch, 'bin');
      const env = { PATH: searchPath, HOME: scratch, SPOQ_INSTALL_DIR: dir };
      const result = await runCommand('bash', ['-c', script], { cwd: scratch, env, timeoutMs: 60_000 });
      check(result.code === 0, `install.sh ended with ${result.code}: ${result.stderr}`);
      world.spoq = [path.join(dir, 'spoq')];
      mkdirSync(world.repository, { recursive: true });
      const version = await world.runSpoq(['--version']);
      check(version.code === 0, `the installed spoq ended with ${version.code}: ${version.stderr}`);
      const checked = /^Checked: (.*)$/m.exec(result.stdout)?.[1];
      check(checked !== undefined, `install.sh does not say what it checked: ${result.stdout}`);
      return `spoq ${version.stdout.trim()}; ${checked}`;
    },
  },
  {
    name: 'init',
    title: 'spoq init',
    async run(world) {
      mkdirSync(world.repository, { recursive: true });
      const init = world.startSpoq(['init', '--no-browser']);
      const [url = ''] = await init.waitFor(/http\S+\/auth\/verify\?code=[A-Z-]+/);
      const page = await world.person.get(url);
      const code = new URL(url).searchParams.get('code') ?? '?';
      check(toText(page.html).includes(code), `the page does not show the code ${code} to compare`);
      const done = await world.person.submit(page, findForm(page, '/auth/authorize'), { decision: 'approve' });
      check(done.status === 200, `approving was answered with ${done.status}`);
      const { code: exit, stdout, stderr } = await init.ended;
      check(exit === 0 && stdout.includes(world.hostname), `spoq init ended with ${exit}: ${stdout}${stderr}`);
      const file = path.join(world.run.scratch, 'home', '.spoq', 'credentials');
      Credentials.parse(JSON.parse(readFileSync(file, 'utf8')));
      check((statSync(file).mode & 0o777) === 0o600, 'others can read the credentials');
      return `${code} compared and approved`;
    },
  },
  {
    name: 'ask',
    title: 'spoq ask about a git repository',
    async run(world) {
      await makeRepository(world.repository, { PATH: world.run.environment['PATH'], HOME: world.run.scratch });
      const before = (await world.requests('anthropic')).length;
      const { code, stdout, stderr, chunks } = await world.runSpoq(['ask', 'What does this program compute?']);
      check(code === 0 && stdout.trim() !== '', `spoq ask ended with ${code}: ${stdout}${stderr}`);
      check(/\d+ files?, .*withheld/.test(stderr), `stderr does not say what was sent: ${stderr}`);
      check(chunks.length > 1, 'the answer came in one piece');
      const sent = JSON.stringify((await world.requests('anthropic')).slice(before));
      check(sent.includes(MARKER), 'the model was not given the README');
      for (const [name, text] of Object.entries(PLANTED))
        check(!sent.includes(text), `the planted ${name} left this computer`);
      const first = Math.round(chunks[0]?.at ?? 0);
      return `${stderr.trim().split('\n').at(-1)}; ${chunks.length} pieces, the first after ${first} ms`;
    },
  },
  {
    name: 'status',
    title: 'spoq status',
    async run(world) {
      const { code, stdout, stderr } = await world.runSpoq(['status', '--json']);
      check(code === 0 && stdout.includes(world.hostname), `spoq status ended with ${code}: ${stdout}${stderr}`);
      return `${world.hostname} answers`;
    },
  },
];

/** And the last thing there. */
export const SIGN_OUT: readonly Step<World>[] = [
  {
    name: 'logout',
    title: 'spoq logout',
    async run(world) {
      const { code, stderr } = await world.runSpoq(['logout']);
      check(code === 0, `spoq logout ended with ${code}: ${stderr}`);
      check(
        !existsSync(path.join(world.run.scratch, 'home', '.spoq', 'credentials')),
        'the credentials are still there',
      );
      const after = await world.runSpoq(['ask', 'Still there?']);
      check(after.code === SIGNED_OUT, `spoq ask ended with ${after.code} after logout`);
      return 'asking again needs a new sign-in';
    },
  },
];
