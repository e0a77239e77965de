import { z } from 'zod';
import { LIMITED, OTHERWISE, page, problem, redirect } from './openapi-answers.ts';
import type { Operation, Parameter } from './openapi.ts';
import { ASKED_OPERATIONS } from './vps.ts';

const OPERATION: Parameter = {
  in: 'path',
  name: 'operation',
  description: 'What is to be done',
  schema: z.enum(ASKED_OPERATIONS),
};
const ELSEWHERE = redirect('To where the sign-up stands, or to the operation that is going on');

/** The page of a box that is there, and what can be done to it. */
export const ACCOUNT_OPERATIONS: Operation[] = [
  {
    method: 'get',
    path: '/account',
    id: 'showAccount',
    tag: 'pages',
    summary: 'The box, and what can be done to it',
    security: ['session'],
    responses: { 200: page('The page'), 303: ELSEWHERE, default: OTHERWISE },
  },
  {
    method: 'get',
    path: '/account/progress',
    id: 'showOperation',
    tag: 'pages',
    summary: 'How an operation comes along',
    security: ['session'],
    responses: { 200: page('The page'), 303: redirect('To the box, when nothing is going on'), default: OTHERWISE },
  },
  {
    method: 'get',
    path: '/account/password',
    id: 'showPasswordChange',
    tag: 'pages',
    summary: 'Choosing another SSH password',
    security: ['session'],
    responses: { 200: page('The page'), 303: ELSEWHERE, default: OTHERWISE },
  },
  {
    method: 'post',
    path: '/account/password',
    id: 'changePassword',
    tag: 'boxes',
    summary: 'Change the SSH password of the box; only hashes of it are kept',
    security: ['session'],
    body: { 'application/x-www-form-urlencoded': 'SetPasswordRequest', 'application/json': 'SetPasswordRequest' },
    responses: {
      303: redirect('To how it comes along'),
      400: problem('What was sent is not valid'),
      401: problem('Not signed in'),
      403: problem('Sent by another site'),
      404: problem('No box'),
      409: problem('The box is not ready, or something else is being done to it'),
      415: problem('Neither a form nor JSON'),
      422: problem('Too weak; says which rules are not met'),
      429: LIMITED,
      default: OTHERWISE,
    },
  },
  {
    method: 'get',
    path: '/account/{operation}',
    id: 'previewOperation',
    tag: 'pages',
    summary: 'What an operation would change, in plain words; changes nothing',
    security: ['session'],
    parameters: [OPERATION],
    responses: { 200: page('The page'), 303: ELSEWHERE, 404: problem('No such operation'), default: OTHERWISE },
  },
  {
    method: 'post',
    path: '/account/{operation}',
    id: 'beginOperation',
    tag: 'boxes',
    summary: 'Begin an operation; one that is going on already is answered alike',
    security: ['session'],
    parameters: [OPERATION],
    body: { 'application/x-www-form-urlencoded': 'OperateRequest', 'application/json': 'OperateRequest' },
    responses: {
      303: redirect('To how it comes along'),
      400: problem('What was sent is not valid, or the name of the box is missing'),
      401: problem('Not signed in'),
      403: problem('Sent by another site'),
      404: problem('No such operation, or no box'),
      409: problem('The box is not ready, or something else is being done to it'),
      415: problem('Neither a form nor JSON'),
      429: LIMITED,
      default: OTHERWISE,
    },
  },
];
