import { z } from 'zod';
import { json, problemOnly, RETRY_AFTER } from './openapi-answers.ts';
import { DISK, OTHERWISE, REFUSED, RESTARTING } from './openapi-box-answers.ts';
import { EVENTS, LAST_EVENT } from './openapi-conversations.ts';
import type { Operation, Parameter } from './openapi.ts';
import { RUN_LIMITS } from './run.ts';

const ID: Parameter = { in: 'path', name: 'id', required: true, description: 'The conversation', schema: z.uuid() };
const MISSING = problemOnly('There is no such conversation');
const NOT_VALID = problemOnly('The request is not valid; every fault is named');
const NO_COPY = problemOnly('There is no such conversation, or it has no copy of a workspace');
const SHARED = { 403: REFUSED, 503: RESTARTING, 507: DISK, default: OTHERWISE };
/** Of every body. */
const BODY = { 400: NOT_VALID, 413: problemOnly('The body is too large'), 415: problemOnly('Not JSON') };
const BEGINNING = {
  200: EVENTS,
  ...BODY,
  404: MISSING,
  422: problemOnly('There is no such model, or what it costs is not known'),
  429: { ...problemOnly('The box is doing as much as it can'), headers: RETRY_AFTER },
};
const CANNOT_RUN = {
  ...problemOnly('The box cannot confine runs, has no model key, or is restarting'),
  headers: RETRY_AFTER,
};

const post = (
  path: string,
  id: string,
  summary: string,
  rest: Pick<Operation, 'description' | 'parameters' | 'body' | 'responses'>,
): Operation => ({ method: 'post', path, id, tag: 'runs', summary, security: ['token'], ...rest });
const get = (
  path: string,
  id: string,
  summary: string,
  rest: Pick<Operation, 'description' | 'parameters' | 'responses'>,
): Operation => ({ method: 'get', path, id, tag: 'runs', summary, security: ['token'], ...rest });

export const RUN_OPERATIONS: Operation[] = [
  post('/api/run', 'run', 'Let the agent work on a task in a copy of a workspace; what happens is a stream', {
    description:
      'Events as of `/api/ask`, and `tool_call`, `tool_output`, `tool_result`, `approval_request`, `approval`, `changes` and `notice`. A call is on the disk before it is done, its result before the model is told of it: after a crash, one whose end is unknown is told as `interrupted` and never done again by itself. The run goes on when nobody reads it, and waits for approvals without a limit of time, also over restarts.',
    body: { 'application/json': 'RunRequest' },
    responses: {
      ...BEGINNING,
      409: problemOnly('The conversation is at work'),
      ...SHARED,
      503: CANNOT_RUN,
    },
  }),
  post('/api/exec', 'exec', 'Run one program in a copy of a workspace; what it writes is a stream', {
    description:
      'Events: `start`, `tool_output` (`text`, or `data` in base64 where the bytes are not UTF-8), `exit`, `done`. Input, the size of the terminal and signals go to `/api/conversations/{id}/input`.',
    body: { 'application/json': 'ExecRequest' },
    responses: {
      ...BEGINNING,
      409: problemOnly('The conversation is at work'),
      ...SHARED,
      503: CANNOT_RUN,
    },
  }),
  post('/api/conversations/{id}/continue', 'continueRun', 'Go on with a run that did not come to its end', {
    description: 'Begins a turn that goes on where the last one was cut off, failed or was interrupted.',
    parameters: [ID, LAST_EVENT],
    body: { 'application/json': 'ContinueRequest' },
    responses: {
      ...BEGINNING,
      409: problemOnly('It is at work, or its last turn is no run, or one that came to its end'),
      ...SHARED,
      503: CANNOT_RUN,
    },
  }),
  post('/api/conversations/{id}/approvals/{approval}', 'answerApproval', 'Answer what a run asks for', {
    description: 'The first answer counts. With `always`, the rule that was shown holds for the workspace from now on.',
    parameters: [
      ID,
      { in: 'path', name: 'approval', required: true, description: 'As the event named it', schema: z.uuid() },
    ],
    body: { 'application/json': 'ApprovalAnswer' },
    responses: {
      200: json('It counts', 'ApprovalDecided'),
      ...BODY,
      404: problemOnly('There is no such conversation, or nothing in it asks for this'),
      409: problemOnly('It was answered before, or nothing waits for it any more; the detail says which'),
      ...SHARED,
    },
  }),
  post('/api/conversations/{id}/input', 'giveInput', 'Give input, a size or a signal to the program that runs', {
    description: `Bytes by their offset, at most ${RUN_LIMITS.input_bytes} at once: those that have arrived are passed over, so that sending twice is sending once.`,
    parameters: [ID],
    body: { 'application/json': 'InputRequest' },
    responses: {
      200: json('Taken', 'InputTaken'),
      ...BODY,
      404: MISSING,
      409: problemOnly('No program takes input, or bytes before these are missing'),
      ...SHARED,
    },
  }),
  get('/api/conversations/{id}/changes', 'listChanges', 'What a run has changed, file by file', {
    parameters: [ID],
    responses: {
      200: json('Each with the names of its contents', 'ChangeList'),
      404: NO_COPY,
      413: problemOnly('It is more than can be listed'),
      ...SHARED,
    },
  }),
  get('/api/conversations/{id}/diff', 'showDiff', 'What a run has changed, as a patch of git', {
    parameters: [ID],
    responses: {
      200: { description: 'The patch', content: { 'text/x-diff': { type: 'string' } } },
      404: NO_COPY,
      413: problemOnly('It is larger than a patch may be'),
      ...SHARED,
    },
  }),
  get('/api/conversations/{id}/objects/{object}', 'readObject', 'One content that the list of changes names', {
    parameters: [
      ID,
      { in: 'path', name: 'object', required: true, description: 'As git names it', schema: z.string() },
    ],
    responses: {
      200: {
        description: 'Its bytes',
        content: { 'application/octet-stream': { type: 'string' } },
      },
      404: problemOnly('There is no such conversation, copy or content'),
      413: problemOnly(`More than ${RUN_LIMITS.file_bytes} bytes`),
      ...SHARED,
    },
  }),
  post('/api/conversations/{id}/discard', 'discardRun', 'Remove the copy that a conversation works in', {
    description: 'What was changed in it is gone; what was said is kept.',
    parameters: [ID],
    responses: {
      200: json('Whether there was one', 'Discarded'),
      404: MISSING,
      409: problemOnly('It is at work: interrupt it first'),
      ...SHARED,
    },
  }),
];
