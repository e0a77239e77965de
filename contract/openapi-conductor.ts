import { AskRequest, BoxHealth, BoxStatus } from './conductor.ts';
import { ConversationEvent, ConversationList, ConversationSummary, Interrupted } from './conversation.ts';
import { OTHERWISE, REFUSED, RESTARTING } from './openapi-box-answers.ts';
import { BudgetReport, ChangeBudgetRequest } from './budget.ts';
import { KeyList, ModelList, SetKeyRequest } from './models.ts';
import { CONVERSATION_OPERATIONS, EVENTS } from './openapi-conversations.ts';
import { MODEL_OPERATIONS } from './openapi-models.ts';
import { WORKSPACE_OPERATIONS, WORKSPACE_SCHEMAS } from './openapi-workspaces.ts';
import { RUN_OPERATIONS } from './openapi-runs.ts';
import { json, problemOnly, RETRY_AFTER } from './openapi-answers.ts';
import { buildOpenApi, type JsonObject, type Operation } from './openapi.ts';
import { Problem } from './problem.ts';
import {
  ApprovalAnswer,
  ApprovalDecided,
  ChangeList,
  ContinueRequest,
  Discarded,
  ExecRequest,
  InputRequest,
  InputTaken,
  RunRequest,
} from './run.ts';

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
      'Server-sent events: `start`, any number of `text`, then `done` or `error`. The `data` of each is a ConversationEvent, its `id` the number of the event in the conversation. Each is on the disk of the box before it is sent. Comments keep the connection alive. The answer goes on when nobody reads it; the same `request` again attaches to it, from `Last-Event-ID` on.',
    security: ['token'],
    body: { 'application/json': 'AskRequest' },
    responses: {
      200: EVENTS,
      400: problemOnly('The question is not valid; every fault is named'),
      403: REFUSED,
      404: problemOnly('There is no such conversation'),
      409: problemOnly('The conversation is at work'),
      413: problemOnly('More than 12 MiB'),
      415: problemOnly('Not JSON'),
      422: problemOnly('There is no such model, or what it costs is not known'),
      507: problemOnly('The disk of the box is full or fails'),
      429: { ...problemOnly('The box is answering as much as it can'), headers: RETRY_AFTER },
      503: { ...problemOnly('The box has no model key, or is restarting'), headers: RETRY_AFTER },
      default: OTHERWISE,
    },
  },
  ...CONVERSATION_OPERATIONS,
  ...MODEL_OPERATIONS,
  ...WORKSPACE_OPERATIONS,
  ...RUN_OPERATIONS,
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
    tags: {
      box: 'The conductor',
      conversations: 'What was asked and done',
      runs: 'Work in copies of workspaces',
      workspaces: 'Folders that are synced with laptops',
      models: 'Models, budgets and keys',
    },
    securitySchemes: {
      token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'Not needed on the box itself' },
    },
    schemas: {
      AskRequest: { schema: AskRequest, io: 'input' },
      ConversationEvent: { schema: ConversationEvent, ...output },
      ConversationList: { schema: ConversationList, ...output },
      Interrupted: { schema: Interrupted, ...output },
      ConversationSummary: { schema: ConversationSummary, ...output },
      RunRequest: { schema: RunRequest, io: 'input' },
      ExecRequest: { schema: ExecRequest, io: 'input' },
      ContinueRequest: { schema: ContinueRequest, io: 'input' },
      ApprovalAnswer: { schema: ApprovalAnswer, io: 'input' },
      ApprovalDecided: { schema: ApprovalDecided, ...output },
      InputRequest: { schema: InputRequest, io: 'input' },
      InputTaken: { schema: InputTaken, ...output },
      ChangeList: { schema: ChangeList, ...output },
      Discarded: { schema: Discarded, ...output },
      BoxStatus: { schema: BoxStatus, ...output },
      BoxHealth: { schema: BoxHealth, ...output },
      ModelList: { schema: ModelList, ...output },
      BudgetReport: { schema: BudgetReport, ...output },
      ChangeBudgetRequest: { schema: ChangeBudgetRequest, io: 'input' },
      KeyList: { schema: KeyList, ...output },
      SetKeyRequest: { schema: SetKeyRequest, io: 'input' },
      ...WORKSPACE_SCHEMAS,
      Problem: { schema: Problem, ...output },
    },
    operations: OPERATIONS,
  });
}
