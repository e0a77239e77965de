import { OTHERWISE, problem, TEXT } from './openapi-answers.ts';
import type { Operation, Parameter, Response } from './openapi.ts';

const RANGE: Parameter[] = [
  { in: 'header', name: 'Range', description: 'One range of bytes; of several the whole file is the answer' },
  { in: 'header', name: 'If-Range', description: 'The ETag that the range is wanted of' },
];
const FILE: Parameter = {
  in: 'path',
  name: 'file',
  description: 'Such as spoq-linux-amd64, SHA256SUMS or manifest.json',
};
const CONTENT = {
  'application/octet-stream': TEXT,
  'text/plain': TEXT,
  'application/json': 'ReleaseManifest',
};
const ETAG = { ETag: "The file's SHA-256", 'Accept-Ranges': 'bytes', 'Cache-Control': 'How long it is good' };

const FILE_RESPONSES: Record<number | 'default', Response> = {
  200: { description: 'The file', content: CONTENT, headers: ETAG },
  206: { description: 'A part of it', headers: { ...ETAG, 'Content-Range': 'Which part' } },
  304: { description: 'Nothing has changed' },
  404: problem('No such release'),
  416: { description: 'The range lies behind its end', headers: { 'Content-Range': 'How long the file is' } },
  default: OTHERWISE,
};

/** What is downloaded. Whoever does so verifies the signatures: SHA256SUMS.minisig and manifest.json.minisig. */
export const RELEASE_OPERATIONS: Operation[] = [
  {
    method: 'get',
    path: '/install.sh',
    id: 'getInstaller',
    tag: 'service',
    summary: 'A script that downloads `spoq`, verifies it and installs it',
    responses: {
      200: { description: 'For sh', content: { 'text/plain': TEXT }, headers: { ETag: 'Of this script' } },
      304: { description: 'Nothing has changed' },
      503: {
        description: 'No release is signed as it should be. A script that says so and installs nothing',
        content: { 'text/plain': TEXT },
      },
      default: OTHERWISE,
    },
  },
  {
    method: 'get',
    path: '/releases/{file}',
    id: 'getRelease',
    tag: 'service',
    summary: 'A file of the newest release',
    parameters: [FILE, ...RANGE],
    responses: FILE_RESPONSES,
  },
  {
    method: 'get',
    path: '/releases/{version}/{file}',
    id: 'getReleaseOfVersion',
    tag: 'service',
    summary: 'A file of this very release, which never changes',
    parameters: [{ in: 'path', name: 'version', description: 'Such as 0.1.0' }, FILE, ...RANGE],
    responses: FILE_RESPONSES,
  },
];
