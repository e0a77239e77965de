import { WORKSPACE_OPERATIONS, WORKSPACE_SCHEMAS } from './openapi-workspaces.ts';
import { AskEvent, AskRequest, BoxHealth, BoxStatus } from './conductor.ts';
import { json, problemOnly, RETRY_AFTER } from './openapi-answers.ts';
import { buildOpenApi, type JsonObject, type Operation } from './openapi.ts';
import { Problem } from './problem.ts';

const REFUSED = problemOnly('No token, a token that is not accepted, or a request that is not of this machine');
const RESTARTING = { ...problemOnly('The box is restarting'), headers: RETRY_AFTER };
const OTHERWISE = problemOnly('Any other failure');

const OPERATIONS: Operation[] = [
  {
    method: 'get',
    path: '/health',
    id: 'showHealth',
    tag: 'box',
    summary: 'That the conductor answers',
    responses: { 200: json('It does', 'BoxHealth'), 503: RESTARTING, default: OTHERWISE },
  },
  {
    method: 'get',
    path: '/api/status',
    id: 'showStatus',
    tag: 'box',
    summary: 'How the box is doing',
    security: ['token'],
    responses: {
      200: json('Load, memory, disk, answers in progress', 'BoxStatus'),
      403: REFUSED,
      503: RESTARTING,
      default: OTHERWISE,
    },
  },
  {
    method: 'post',
    path: '/api/ask',
    id: 'ask',
    tag: 'box',
    summary: 'Ask the agent; the answer is a stream',
    description:
      'Server-sent events, numbered from 1: `start`, any number of `text`, then `done` or `error`. The `data` of each is an AskEvent. Comments keep the connection alive.',
    security: ['token'],
    body: { 'application/json': 'AskRequest' },
    responses: {
      200: { description: 'The answer as it is spoken', content: { 'text/event-stream': { type: 'string' } } },
      400: problemOnly('The question is not valid; every fault is named'),
      403: REFUSED,
      413: problemOnly('More than 4 MiB'),
      415: problemOnly('Not JSON'),
      429: { ...problemOnly('The box is answering as much as it can'), headers: RETRY_AFTER },
      503: { ...problemOnly('The box has no model key, or is restarting'), headers: RETRY_AFTER },
      default: OTHERWISE,
    },
  },
  ...WORKSPACE_OPERATIONS,
];

/** The OpenAPI 3.1 document of a box. @param boxUrl a template with {hostname} */
export function buildConductorDocument(boxUrl: string, version: string): JsonObject {
  const output = { io: 'output' } as const;
  return buildOpenApi({
    title: 'Spoq box',
    version,
    description: "The conductor on a subscriber's box. Tokens come from the control plane's device grant.",
    server: {
      url: boxUrl,
      description: 'The box',
      variables: { hostname: { default: 'alice.spoq.dev', description: "The box's host name" } },
    },
    tags: { box: 'The conductor', workspaces: 'Folders that are synced with laptops' },
    securitySchemes: {
      token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'Not needed on the box itself' },
    },
    schemas: {
      AskRequest: { schema: AskRequest, io: 'input' },
      AskEvent: { schema: AskEvent, ...output },
      BoxStatus: { schema: BoxStatus, ...output },
      BoxHealth: { schema: BoxHealth, ...output },
      ...WORKSPACE_SCHEMAS,
      Problem: { schema: Problem, ...output },
    },
    operations: OPERATIONS,
  });
}
