import { readFile } from 'node:fs/promises';
import { SpoqError } from '../../contract/errors.ts';
import { VpsMarker } from '../../contract/files.ts';
import { isMissing } from '../auth/credentials.ts';
import type { CliDeps } from '../deps.ts';
import { parseJson } from '../http/problem.ts';

const DEFAULT_PATH = '/etc/spoq/vps.marker';

/** Reads the marker that says that this machine is a box; `undefined` elsewhere. Throws `file_unusable` when it is broken. */
export async function loadMarker(env: CliDeps['env']): Promise<VpsMarker | undefined> {
  const path = env.SPOQ_VPS_MARKER || DEFAULT_PATH;
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw new SpoqError('file_unusable', { detail: `${path} cannot be read.`, cause: error });
  }
  const marker = VpsMarker.safeParse(parseJson(text));
  if (marker.success) return marker.data;
  throw new SpoqError('file_unusable', {
    detail: `${path} says that this is a box, but it is broken.`,
    next: 'Write it again: {"vps": true, "conductor": "http://localhost:8080", "version": "1.0"}',
  });
}
