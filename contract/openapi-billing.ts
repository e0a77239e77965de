import { z } from 'zod';
import { LIMITED, OTHERWISE, page, problem, redirect, TOO_LARGE } from './openapi-answers.ts';
import type { Operation, Parameter } from './openapi.ts';
import { PLAN_NAMES } from './billing.ts';

const PLAN: Parameter = { in: 'query', name: 'plan', description: 'The plan to change to', schema: z.enum(PLAN_NAMES) };
const TOKEN: Parameter = {
  in: 'path',
  name: 'token',
  description: 'Of the link in the mail; good for one payment',
  schema: z.string().max(100),
};
const BACK = redirect('To the page of the subscription');
const WRITE = {
  401: problem('Not signed in'),
  403: problem('Sent by another site'),
  413: TOO_LARGE,
  415: problem('Neither a form nor JSON'),
  429: LIMITED,
};

/** What a person pays, and coming back to it. */
export const BILLING_OPERATIONS: Operation[] = [
  {
    method: 'get',
    path: '/account/billing',
    id: 'showBilling',
    tag: 'pages',
    summary: 'Plan, card, invoices, and what can be changed',
    security: ['session'],
    responses: { 200: page('The page'), 401: problem('Not signed in'), default: OTHERWISE },
  },
  {
    method: 'post',
    path: '/account/billing/portal',
    id: 'openPortal',
    tag: 'billing',
    summary: "Go to Stripe's own page for cards, invoices and payments that are due",
    security: ['session'],
    responses: { 303: redirect('To Stripe'), 402: problem('Nothing was ever paid'), ...WRITE, default: OTHERWISE },
  },
  {
    method: 'get',
    path: '/account/billing/cancel',
    id: 'previewEnd',
    tag: 'pages',
    summary: 'What ending the subscription means; changes nothing',
    security: ['session'],
    responses: { 200: page('The page'), 303: BACK, 401: problem('Not signed in'), default: OTHERWISE },
  },
  {
    method: 'post',
    path: '/account/billing/cancel',
    id: 'endSubscription',
    tag: 'billing',
    summary: 'Let the subscription end with what is paid for',
    security: ['session'],
    responses: {
      303: BACK,
      402: problem('There is no subscription'),
      409: problem('It has ended already'),
      ...WRITE,
      default: OTHERWISE,
    },
  },
  {
    method: 'post',
    path: '/account/billing/keep',
    id: 'keepSubscription',
    tag: 'billing',
    summary: 'Take that back',
    security: ['session'],
    responses: {
      303: BACK,
      402: problem('There is no subscription'),
      409: problem('It has ended already'),
      ...WRITE,
      default: OTHERWISE,
    },
  },
  {
    method: 'get',
    path: '/account/billing/plan',
    id: 'previewPlan',
    tag: 'pages',
    summary: 'What another plan costs, to the cent; changes nothing',
    security: ['session'],
    parameters: [PLAN],
    responses: {
      200: page('The page'),
      400: problem('No such plan'),
      401: problem('Not signed in'),
      402: problem('There is no subscription'),
      409: problem('The plan cannot be changed now'),
      429: LIMITED,
      default: OTHERWISE,
    },
  },
  {
    method: 'post',
    path: '/account/billing/plan',
    id: 'changePlan',
    tag: 'billing',
    summary: 'Change to another plan, for what the page has shown',
    security: ['session'],
    body: { 'application/x-www-form-urlencoded': 'ChangePlanRequest', 'application/json': 'ChangePlanRequest' },
    responses: {
      303: BACK,
      400: problem('What was sent is not valid'),
      402: problem('There is no subscription'),
      409: problem('The plan cannot be changed now, or what was shown is too old'),
      ...WRITE,
      default: OTHERWISE,
    },
  },
  {
    method: 'get',
    path: '/claim/{token}',
    id: 'showClaim',
    tag: 'pages',
    summary: 'A payment that waits for somebody to sign in; changes nothing',
    parameters: [TOKEN],
    responses: { 200: page('The page'), 404: problem('The link is used up'), 429: LIMITED, default: OTHERWISE },
  },
  {
    method: 'post',
    path: '/claim/{token}',
    id: 'claimPayment',
    tag: 'billing',
    summary: 'Use it in this browser',
    parameters: [TOKEN],
    responses: {
      303: redirect('To sign in, or on with the set-up'),
      403: problem('Sent by another site'),
      404: problem('The link is used up'),
      429: LIMITED,
      default: OTHERWISE,
    },
  },
];
