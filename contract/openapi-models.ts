import { z } from 'zod';
import { json, problemOnly } from './openapi-answers.ts';
import { DISK, OTHERWISE, REFUSED, RESTARTING } from './openapi-box-answers.ts';
import type { Operation, Parameter } from './openapi.ts';

const SHARED = { 403: REFUSED, 503: RESTARTING, 507: DISK, default: OTHERWISE };
const BODY = { 413: problemOnly('The body is too large'), 415: problemOnly('Not JSON') };
const PROVIDER: Parameter = {
  in: 'path',
  name: 'provider',
  required: true,
  description: 'As GET /api/keys lists them',
  schema: z.string(),
};

/** Models, what they may cost, and with whose keys they are asked. */
export const MODEL_OPERATIONS: Operation[] = [
  {
    method: 'get',
    path: '/api/models',
    id: 'listModels',
    tag: 'models',
    summary: 'What can be asked here, and what it costs',
    security: ['token'],
    responses: { 200: json('Names, aliases, the fall-back and prices', 'ModelList'), ...SHARED },
  },
  {
    method: 'get',
    path: '/api/budget',
    id: 'showBudget',
    tag: 'models',
    summary: 'What was spent on models and what is left',
    security: ['token'],
    parameters: [
      { in: 'query', name: 'conversation', description: 'With the figures of this conversation', schema: z.uuid() },
    ],
    responses: {
      200: json('By day, month and conversation', 'BudgetReport'),
      400: problemOnly('The query is not valid'),
      404: problemOnly('There is no such conversation'),
      ...SHARED,
    },
  },
  {
    method: 'put',
    path: '/api/budget',
    id: 'changeBudget',
    tag: 'models',
    summary: 'Change what models may cost',
    description: 'What is left out stays; null is no limit. It holds for the next call.',
    security: ['token'],
    body: { 'application/json': 'ChangeBudgetRequest' },
    responses: {
      200: json('As it is now', 'BudgetReport'),
      400: problemOnly('The body is not valid; every fault is named'),
      ...BODY,
      ...SHARED,
    },
  },
  {
    method: 'get',
    path: '/api/keys',
    id: 'listKeys',
    tag: 'models',
    summary: 'Whose keys the models are asked with',
    description: 'Never a key itself: its last four characters, and how it did when it was last used.',
    security: ['token'],
    responses: { 200: json('One for each provider that has a key', 'KeyList'), ...SHARED },
  },
  {
    method: 'put',
    path: '/api/keys/{provider}',
    id: 'setKey',
    tag: 'models',
    summary: 'Give the box a key of your own',
    description:
      'The provider is asked whether it takes it before it replaces the old one, unless `check` is false. It is kept where only the conductor reads it, and used at once.',
    security: ['token'],
    parameters: [PROVIDER],
    body: { 'application/json': 'SetKeyRequest' },
    responses: {
      200: json('As it is now', 'KeyList'),
      400: problemOnly('The body is not valid; the key is not repeated'),
      404: problemOnly('There is no such provider'),
      422: problemOnly('The provider refuses the key'),
      502: problemOnly('The provider could not be asked'),
      500: problemOnly('It could not be kept'),
      ...BODY,
      ...SHARED,
    },
  },
  {
    method: 'delete',
    path: '/api/keys/{provider}',
    id: 'removeKey',
    tag: 'models',
    summary: 'Take a key of your own away',
    description: 'Where the box came with a key of that provider, that one is used again.',
    security: ['token'],
    parameters: [PROVIDER],
    responses: {
      200: json('As it is now', 'KeyList'),
      404: problemOnly('There is no such key'),
      500: problemOnly('It could not be taken away'),
      ...SHARED,
    },
  },
];
