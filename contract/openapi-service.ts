import { z } from 'zod';
import { json, OTHERWISE, problem, redirect, RETRY_AFTER, TEXT } from './openapi-answers.ts';
import type { Operation } from './openapi.ts';

/** What keeps the service running, and what it says about itself. */
export const SERVICE_OPERATIONS: Operation[] = [
  {
    method: 'get',
    path: '/health',
    id: 'showHealth',
    tag: 'service',
    summary: 'That the process answers',
    responses: { 200: json('It does', 'Health'), default: OTHERWISE },
  },
  {
    method: 'get',
    path: '/ready',
    id: 'showReadiness',
    tag: 'service',
    summary: 'That the database answers and has our tables',
    responses: {
      200: json('It does', 'Readiness'),
      503: problem('It does not', RETRY_AFTER),
      default: OTHERWISE,
    },
  },
  {
    method: 'get',
    path: '/metrics',
    id: 'showMetrics',
    tag: 'service',
    summary: 'Measurements for Prometheus',
    security: ['metrics'],
    responses: {
      200: { description: "Prometheus' text format", content: { 'text/plain': TEXT } },
      404: problem('Without the right token there is nothing here'),
      default: OTHERWISE,
    },
  },
  {
    method: 'get',
    path: '/openapi.json',
    id: 'showOpenApi',
    tag: 'service',
    summary: 'This document',
    responses: { 200: json('OpenAPI 3.1', 'OpenApiDocument'), default: OTHERWISE },
  },
  {
    method: 'get',
    path: '/openapi-conductor.json',
    id: 'showConductorOpenApi',
    tag: 'service',
    summary: 'The same for the service on a box',
    responses: { 200: json('OpenAPI 3.1', 'OpenApiDocument'), default: OTHERWISE },
  },
  {
    method: 'get',
    path: '/assets/{name}',
    id: 'getAsset',
    tag: 'pages',
    summary: 'A style sheet, script or picture of the pages',
    parameters: [{ in: 'path', name: 'name', description: 'Holds the hash of the content' }],
    responses: {
      200: {
        description: 'The file, good for ever',
        content: { 'text/css': TEXT, 'text/javascript': TEXT, 'image/svg+xml': TEXT },
      },
      404: problem('No such file'),
      default: OTHERWISE,
    },
  },
  {
    method: 'get',
    path: '/favicon.ico',
    id: 'getIcon',
    tag: 'pages',
    summary: 'The icon, where browsers look for it',
    responses: { 302: redirect('To the icon'), default: OTHERWISE },
  },
];

export const Health = z.object({ status: z.literal('ok') });
export const Readiness = z.object({ status: z.literal('ready') });
export const OpenApiDocument = z.looseObject({
  openapi: z.string().regex(/^3\.1\.\d+$/),
  info: z.looseObject({ title: z.string(), version: z.string() }),
  paths: z.record(z.string(), z.looseObject({})),
});
