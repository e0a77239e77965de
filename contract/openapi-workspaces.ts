import { json, problemOnly, RETRY_AFTER } from './openapi-answers.ts';
import type { NamedSchema, Operation, Parameter, Response } from './openapi.ts';
import {
  ApplyAnswer,
  ContentsAnswer,
  FetchRequest,
  FRAMES_TYPE,
  ScanAnswer,
  ScanRequest,
  SnapshotAnswer,
  WorkspaceList,
  WorkspaceName,
} from './workspaces.ts';

const NAME: Parameter = { in: 'path', name: 'name', description: 'Of the workspace', schema: WorkspaceName };

const REFUSALS: Record<number | 'default', Response> = {
  400: problemOnly('Not valid; every fault is named'),
  403: problemOnly('No token, a token that is not accepted, or a request that is not of this machine'),
  409: problemOnly('The workspace belongs to another folder, or has changed meanwhile'),
  503: { ...problemOnly('The files cannot be reached, or the box is restarting'), headers: RETRY_AFTER },
  default: problemOnly('Any other failure'),
};
const BODY_REFUSALS = {
  413: problemOnly('More than one request may hold'),
  415: problemOnly('Another content type or encoding'),
  507: problemOnly('The disk of the box is too full'),
};

const FRAMES = { [FRAMES_TYPE]: { type: 'string' as const } };
const FRAMES_TEXT =
  'Frames: `u32` length and a description in JSON, then pieces of contents, each `u32` length, 32 bytes SHA-256, `u64` offset and bytes. Big-endian. `Content-Encoding: zstd` is understood.';

function operation(
  path: string,
  rest: Pick<Operation, 'id' | 'summary' | 'responses'> & Partial<Operation>,
): Operation {
  return {
    method: 'post',
    path: `/api/workspaces/{name}/${path}`,
    tag: 'workspaces',
    security: ['token'],
    parameters: [NAME],
    ...rest,
  };
}

/** What a box offers about its workspaces. */
export const WORKSPACE_OPERATIONS: Operation[] = [
  {
    method: 'get',
    path: '/api/workspaces',
    id: 'listWorkspaces',
    tag: 'workspaces',
    summary: 'Which workspaces there are, and whose folders they are',
    security: ['token'],
    responses: { ...REFUSALS, 200: json('All of them', 'WorkspaceList') },
  },
  operation('scan', {
    id: 'scanWorkspace',
    summary: 'What has changed there since both sides were the same',
    body: { 'application/json': 'ScanRequest' },
    responses: { ...REFUSALS, ...BODY_REFUSALS, 200: json('The changes', 'ScanAnswer') },
  }),
  operation('contents', {
    id: 'sendContents',
    summary: 'Contents that are to be there before they are put in place',
    description: `${FRAMES_TEXT} The description is \`{folder, contents: [{hash, size, offset}]}\`.`,
    body: FRAMES,
    responses: { ...REFUSALS, ...BODY_REFUSALS, 200: json('What was not what it claimed to be', 'ContentsAnswer') },
  }),
  operation('fetch', {
    id: 'fetchContents',
    summary: 'Contents of the workspace, by their hashes',
    description: FRAMES_TEXT,
    body: { 'application/json': 'FetchRequest' },
    responses: { ...REFUSALS, ...BODY_REFUSALS, 200: { description: 'The contents', content: FRAMES } },
  }),
  operation('apply', {
    id: 'applyChanges',
    summary: 'Takes steps in the workspace, each whole or not at all',
    description: `${FRAMES_TEXT} The description is \`{folder, base, next_base, more, steps, agreed, contents}\`.`,
    body: FRAMES,
    responses: { ...REFUSALS, ...BODY_REFUSALS, 200: json('The steps that were not taken, and why', 'ApplyAnswer') },
  }),
  operation('snapshot', {
    id: 'takeSnapshot',
    summary: 'Writes the present tree down as a commit',
    responses: { ...REFUSALS, 200: json('The commit', 'SnapshotAnswer') },
  }),
  operation('changes', {
    method: 'get',
    id: 'watchWorkspace',
    summary: 'Tells when something in the workspace may have changed',
    description: 'Server-sent events `changed`; comments are signs of life.',
    responses: {
      ...REFUSALS,
      200: { description: 'As it happens', content: { 'text/event-stream': { type: 'string' } } },
    },
  }),
];

const output = { io: 'output' } as const;

export const WORKSPACE_SCHEMAS: Record<string, NamedSchema> = {
  WorkspaceList: { schema: WorkspaceList, ...output },
  ScanRequest: { schema: ScanRequest, io: 'input' },
  ScanAnswer: { schema: ScanAnswer, ...output },
  ContentsAnswer: { schema: ContentsAnswer, ...output },
  FetchRequest: { schema: FetchRequest, io: 'input' },
  ApplyAnswer: { schema: ApplyAnswer, ...output },
  SnapshotAnswer: { schema: SnapshotAnswer, ...output },
};
