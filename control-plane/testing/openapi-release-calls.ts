import { renameSync } from 'node:fs';
import { join } from 'node:path';
import type { Calls, CallContext, Send } from './openapi-calls.ts';

const FILE = 'spoq-linux-amd64';

/** Everything that a file can be answered with, `prefix` being the folder that it is asked of. */
async function askForFiles(send: Send, prefix: string): Promise<void> {
  await send({ path: `${prefix}/SHA256SUMS` });
  await send({ path: `${prefix}/manifest.json` });
  const path = `${prefix}/${FILE}`;
  const answer = await send({ path });
  await send({ path, headers: known(answer) });
  await send({ path, headers: { range: 'bytes=1-2' } });
  await send({ path, headers: { range: 'bytes=5-' } });
  await send({ path: `${prefix}/nothing` });
}

// fetch would add `Cache-Control: no-cache` to a question for changes.
const known = (answer: Response): Record<string, string> => ({
  'if-none-match': answer.headers.get('etag') ?? '',
  'cache-control': 'max-age=0',
});

export const RELEASE_CALLS: Calls = {
  async getInstaller(send, { plane }: CallContext) {
    const answer = await send();
    await send({ headers: known(answer) });
    const signature = join(plane.deps.config.RELEASES_DIR, 'SHA256SUMS.minisig');
    renameSync(signature, `${signature}-away`);
    await send();
    renameSync(`${signature}-away`, signature);
  },
  async getRelease(send) {
    await askForFiles(send, '/releases');
    await send({ path: '/releases/..%2Fpackage.json' });
  },
  async getReleaseOfVersion(send) {
    await askForFiles(send, '/releases/0.1.0');
    await send({ path: `/releases/0.0.9/${FILE}` });
  },
};
