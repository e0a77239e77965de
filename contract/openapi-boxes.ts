import { z } from 'zod';
import { BOOT_REPORTS_PATH } from './boot.ts';
import {
  HTML,
  json,
  LIMITED,
  OTHERWISE,
  page,
  problem,
  redirect,
  RETRY_AFTER,
  TEXT,
  TOO_LARGE,
} from './openapi-answers.ts';
import type { Content, Operation, Response } from './openapi.ts';

const formOrJson = (schema: string): Content => ({
  'application/x-www-form-urlencoded': schema,
  'application/json': schema,
});

/** What every write of a browser can earn. */
const WRITE_FAULTS: Record<number, Response> = {
  400: problem('What was sent is not valid; every fault is named'),
  403: problem('Sent by another site'),
  413: TOO_LARGE,
  415: problem('Neither a form nor JSON'),
  429: LIMITED,
};

const setupPage = (path: string, id: string, summary: string): Operation => ({
  method: 'get',
  path,
  id,
  tag: 'pages',
  summary,
  security: ['session'],
  responses: { 200: page('The page'), 303: redirect('To where the sign-up stands'), default: OTHERWISE },
});

/** Boxes, money and the pages around them. */
export const BOX_OPERATIONS: Operation[] = [
  {
    method: 'get',
    path: '/',
    id: 'showHome',
    tag: 'pages',
    summary: 'Home, with the plans',
    responses: { 200: page('The page'), default: OTHERWISE },
  },
  {
    method: 'get',
    path: '/problems',
    id: 'listProblems',
    tag: 'pages',
    summary: 'Every kind of problem and what to do about it; `type` of a problem document leads here',
    responses: { 200: page('The page'), default: OTHERWISE },
  },
  {
    method: 'post',
    path: '/api/subscription/create',
    id: 'createSubscription',
    tag: 'billing',
    summary: 'Begin to pay for a plan',
    body: formOrJson('CreateSubscriptionRequest'),
    responses: {
      200: json('Where to pay', 'CreateSubscriptionResponse'),
      303: redirect('The same for a form, or to the set-up when it is paid already'),
      ...WRITE_FAULTS,
      409: problem('Paid already'),
      502: problem('Stripe failed; nothing was charged'),
      default: OTHERWISE,
    },
  },
  {
    method: 'get',
    path: '/welcome',
    id: 'showWelcome',
    tag: 'pages',
    summary: 'Where Stripe sends a person back to',
    parameters: [{ in: 'query', name: 'session_id', description: "Stripe's Checkout session" }],
    responses: {
      200: page('The payment has come, or is awaited'),
      302: redirect('To the set-up, or to the plans'),
      404: problem('No such payment'),
      default: OTHERWISE,
    },
  },
  {
    method: 'post',
    path: '/api/subscription/webhook',
    id: 'receiveStripeEvent',
    tag: 'billing',
    summary: "Stripe's events; each is applied once, and is only a hint to ask Stripe",
    parameters: [{ in: 'header', name: 'Stripe-Signature', description: 'Over the bytes of the body', required: true }],
    body: { 'application/json': 'StripeEvent' },
    responses: {
      200: json('Taken note of', 'StripeEventReceipt'),
      400: problem('The signature is not right'),
      413: problem('More than 1 MB'),
      default: OTHERWISE,
    },
  },
  {
    method: 'get',
    path: '/setup',
    id: 'continueSetup',
    tag: 'pages',
    summary: 'Leads to whichever step of the sign-up comes next',
    responses: { 302: redirect('To the step'), 502: problem('Stripe could not be asked'), default: OTHERWISE },
  },
  setupPage('/setup/password', 'showPasswordForm', 'Choosing an SSH password'),
  {
    method: 'post',
    path: '/setup/password',
    id: 'setPassword',
    tag: 'boxes',
    summary: 'Choose the SSH password; only hashes of it are kept',
    security: ['session'],
    body: formOrJson('SetPasswordRequest'),
    responses: {
      303: redirect('To the next step'),
      ...WRITE_FAULTS,
      401: problem('Not signed in'),
      422: {
        description: 'Too weak; says which rules are not met',
        content: { 'application/problem+json': 'Problem', ...HTML },
      },
      default: OTHERWISE,
    },
  },
  setupPage('/setup/region', 'showRegions', 'Choosing a region; the nearest is preselected'),
  setupPage('/setup/progress', 'showProgress', 'How the box comes along'),
  setupPage('/setup/ready', 'showCredentials', 'How to reach the box'),
  {
    method: 'post',
    path: '/api/vps/provision',
    id: 'provisionBox',
    tag: 'boxes',
    summary: 'Ask for a box; asking again answers the one that is there',
    security: ['session'],
    body: formOrJson('ProvisionRequest'),
    responses: {
      202: json('It is being made, or is there', 'VpsResource', { Location: 'Where to see how it comes along' }),
      303: redirect('The same for a form'),
      ...WRITE_FAULTS,
      401: problem('Not signed in'),
      402: problem('No active subscription'),
      409: problem('No SSH password yet'),
      default: OTHERWISE,
    },
  },
  {
    method: 'get',
    path: '/api/vps/status',
    id: 'showBox',
    tag: 'boxes',
    summary: 'The box, as JSON or as a stream',
    description:
      'With `Accept: text/event-stream`: `event: progress` with a numbered VpsEvent, `event: status` with a VpsResource; ends when the box is ready or has failed, and nothing is being done to it.',
    security: ['session'],
    parameters: [
      { in: 'header', name: 'Last-Event-ID', description: 'The last event that was seen; later ones are sent' },
      { in: 'query', name: 'after', description: 'The same for a first connection' },
    ],
    responses: {
      200: {
        description: 'The box',
        content: { 'application/json': 'VpsResource', 'text/event-stream': TEXT },
      },
      401: problem('Not signed in'),
      404: problem('No box yet'),
      429: { ...problem('Too many streams of one person', RETRY_AFTER) },
      default: OTHERWISE,
    },
  },
  {
    method: 'post',
    path: BOOT_REPORTS_PATH,
    id: 'reportBoot',
    tag: 'boxes',
    summary: "How a step of a new machine's own set-up stands; repeating a report changes nothing",
    security: ['boot'],
    body: formOrJson('BootReport'),
    responses: {
      204: { description: 'Taken note of' },
      400: problem('What was sent is not valid; every fault is named'),
      403: problem('No token, or one whose set-up is over'),
      413: TOO_LARGE,
      415: problem('Neither a form nor JSON'),
      429: LIMITED,
      default: OTHERWISE,
    },
  },
];

/** What of an event of Stripe's is read; the rest is asked of Stripe. */
export const StripeEvent = z.looseObject({ id: z.string(), type: z.string(), created: z.number().int() });
