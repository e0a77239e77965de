import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { runCommand } from '../run-command.ts';

/** Text that must never leave this computer, planted where people really have it. */
export const PLANTED = {
  password: 'hunter2-d0-not-send-me',
  key: 'b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQplanted',
  inline: ['sk', 'ant', 'api03', 'Zm9vYmFyYmF6cXV4'.repeat(3)].join('-'), // in one piece, scanners would take it for real
} as const;

/** Text of an ordinary file, which the model has to see. */
export const MARKER = 'computes the tide at Brest';

const FILES: Record<string, string> = {
  'README.md': `# Tides\n\nA small program that ${MARKER}.\n`,
  'src/tide.ts': [
    '/** Height over chart datum, in metres. */',
    'export function height(hours: number): number {',
    '  return 4 + 3 * Math.cos((hours / 12.42) * 2 * Math.PI);',
    '}',
    '',
  ].join('\n'),
  'src/config.ts': `export const apiKey = '${PLANTED.inline}';\nexport const port = 8080;\n`,
  '.env': `DATABASE_PASSWORD=${PLANTED.password}\n`,
  'deploy/id_ed25519': `-----BEGIN OPENSSH PRIVATE KEY-----\n${PLANTED.key}\n-----END OPENSSH PRIVATE KEY-----\n`,
  '.gitignore': 'build/\n',
  'build/out.js': 'generated\n',
};

/** Makes a small git repository in `dir` (made too), with secrets that somebody committed by mistake. */
export async function makeRepository(dir: string, env: NodeJS.ProcessEnv): Promise<void> {
  for (const [name, content] of Object.entries(FILES)) {
    const file = path.join(dir, name);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, content);
  }
  const author = ['-c', 'user.name=Journey', '-c', 'user.email=journey@example.com', '-c', 'commit.gpgsign=false'];
  const commands = [
    ['init', '-q', '-b', 'main'],
    ['add', '-A'],
    [...author, 'commit', '-q', '-m', 'Tides'],
  ];
  for (const args of commands) {
    // The person's own settings and hooks have no part in this.
    const clean = { ...env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' };
    const result = await runCommand('git', args, { cwd: dir, env: clean });
    if (result.code !== 0) throw new Error(`git ${args.at(-1)} failed: ${result.stderr.trim()}`);
  }
}
