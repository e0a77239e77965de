import { z } from 'zod';
import { CONVERSATION_LIMITS } from './conversation.ts';
import { json, problemOnly } from './openapi-answers.ts';
import { DISK, OTHERWISE, REFUSED, RESTARTING } from './openapi-box-answers.ts';
import type { Operation, Parameter, Response } from './openapi.ts';

/** The events of a turn or of a conversation. */
export const EVENTS: Response = {
  description: 'ConversationEvents as they come',
  content: { 'text/event-stream': { type: 'string' } },
};

export const LAST_EVENT: Parameter = {
  in: 'header',
  name: 'Last-Event-ID',
  description: 'The number of the last event that was seen; those after it are sent',
  schema: z.string(),
};

const ID: Parameter = { in: 'path', name: 'id', required: true, description: 'The conversation', schema: z.uuid() };
const MISSING = problemOnly('There is no such conversation');
const SHARED = { 403: REFUSED, 503: RESTARTING, 507: DISK, default: OTHERWISE };

export const CONVERSATION_OPERATIONS: Operation[] = [
  {
    method: 'get',
    path: '/api/conversations',
    id: 'listConversations',
    tag: 'conversations',
    summary: 'The conversations, the one that changed last first',
    security: ['token'],
    parameters: [
      { in: 'query', name: 'folder', description: 'Only those of the folder with this key', schema: z.string() },
      {
        in: 'query',
        name: 'limit',
        description: 'How many; 20 when left out',
        schema: z.int().min(1).max(CONVERSATION_LIMITS.listed),
      },
      { in: 'query', name: 'before', description: 'Only those that changed before this one', schema: z.uuid() },
    ],
    responses: {
      200: json('Some of them', 'ConversationList'),
      400: problemOnly('The query is not valid'),
      ...SHARED,
    },
  },
  {
    method: 'get',
    path: '/api/conversations/{id}',
    id: 'showConversation',
    tag: 'conversations',
    summary: 'How a conversation stands',
    security: ['token'],
    parameters: [ID],
    responses: { 200: json('It', 'ConversationSummary'), 404: MISSING, ...SHARED },
  },
  {
    method: 'delete',
    path: '/api/conversations/{id}',
    id: 'removeConversation',
    tag: 'conversations',
    summary: 'Delete a conversation and all that was said in it',
    security: ['token'],
    parameters: [ID],
    responses: {
      204: { description: 'It is gone' },
      404: MISSING,
      409: problemOnly('It is at work: interrupt it first'),
      ...SHARED,
    },
  },
  {
    method: 'get',
    path: '/api/conversations/{id}/events',
    id: 'followConversation',
    tag: 'conversations',
    summary: 'Read a conversation, then follow it live',
    description: 'With `turn` it ends after the last event of that turn, else only when the reader goes.',
    security: ['token'],
    parameters: [
      ID,
      LAST_EVENT,
      { in: 'query', name: 'turn', description: 'To the end of this turn', schema: z.int().min(1) },
    ],
    responses: { 200: EVENTS, 400: problemOnly('The query or Last-Event-ID is not valid'), 404: MISSING, ...SHARED },
  },
  {
    method: 'post',
    path: '/api/conversations/{id}/interrupt',
    id: 'interruptConversation',
    tag: 'conversations',
    summary: 'End what is at work in a conversation',
    description: 'What was said is kept.',
    security: ['token'],
    parameters: [ID],
    responses: { 200: json('Whether anything was at work', 'Interrupted'), 404: MISSING, ...SHARED },
  },
];
