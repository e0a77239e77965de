import { z } from 'zod';
import {
  formOrJson,
  HTML,
  json,
  LIMITED,
  oauthErrors,
  OTHERWISE,
  page,
  problem,
  query,
  redirect,
  TEXT,
  TOO_LARGE,
} from './openapi-answers.ts';
import { OAUTH_OPERATIONS } from './openapi-oauth.ts';
import type { Operation } from './openapi.ts';

const CALLBACK_PARAMETERS = [
  query('state', 'What the sign-in was begun with'),
  query('code', "GitHub's code, when the person allowed it"),
  query('error', 'Why there is no code'),
];

/** Sign-in, the device grant and tokens. */
export const IDENTITY_OPERATIONS: Operation[] = [
  {
    method: 'get',
    path: '/auth/github',
    id: 'beginSignIn',
    tag: 'identity',
    summary: 'Begin a sign-in with GitHub',
    parameters: [query('return_to', 'The path of ours to go to afterwards; /setup when left out')],
    responses: {
      302: redirect('To GitHub, with a state and a PKCE challenge'),
      400: problem('return_to is not a path of ours'),
      429: LIMITED,
      default: OTHERWISE,
    },
  },
  {
    method: 'get',
    path: '/auth/github/callback',
    id: 'finishSignIn',
    tag: 'identity',
    summary: 'Where GitHub sends the person back to',
    parameters: CALLBACK_PARAMETERS,
    responses: {
      302: redirect('Signed in; to return_to'),
      400: problem('Not begun in this browser, used before, too late, or refused by GitHub'),
      403: problem('The person did not allow it'),
      429: LIMITED,
      502: problem('GitHub failed, or refused our part'),
      default: OTHERWISE,
    },
  },
  {
    method: 'post',
    path: '/auth/sign-out',
    id: 'signOut',
    tag: 'identity',
    summary: "End the browser's session",
    responses: { 303: redirect('To the start'), 403: problem('Sent by another site'), default: OTHERWISE },
  },
  {
    method: 'post',
    path: '/auth/device',
    id: 'beginDeviceGrant',
    tag: 'identity',
    summary: 'A device asks to be signed in (RFC 8628 §3.1)',
    body: formOrJson('DeviceRequest'),
    responses: {
      200: json('The codes; valid for ten minutes', 'DeviceResponse'),
      ...oauthErrors('invalid_request or invalid_client'),
    },
  },
  {
    method: 'get',
    path: '/auth/verify',
    id: 'showDevice',
    tag: 'identity',
    summary: 'The page where a person compares the code and decides',
    description: 'Wrong codes are counted: ten an hour for a person.',
    security: ['session'],
    parameters: [query('code', 'Three words; in any case, with dashes or spaces')],
    responses: {
      200: page('What asks and from where; or the form for the code; or that the set-up comes first'),
      302: redirect('Not signed in: to GitHub and back'),
      404: page('No device waits under this code: the form again'),
      429: LIMITED,
      default: OTHERWISE,
    },
  },
  {
    method: 'post',
    path: '/auth/authorize',
    id: 'decideDevice',
    tag: 'identity',
    summary: 'Approve or deny a device; a form of /auth/verify',
    security: ['session'],
    body: formOrJson('AuthorizeRequest'),
    responses: {
      200: page('Done'),
      400: problem('No decision, or no code'),
      401: problem('Not signed in'),
      403: problem('Sent by another site'),
      404: {
        ...problem('No device waits under this code, or there is no box'),
        content: { ...HTML, 'application/problem+json': 'Problem' },
      },
      413: TOO_LARGE,
      415: problem('Neither a form nor JSON'),
      429: LIMITED,
      default: OTHERWISE,
    },
  },
  {
    method: 'post',
    path: '/auth/device/token',
    id: 'pollDeviceGrant',
    tag: 'identity',
    summary: "The device's polls (RFC 8628 §3.4)",
    description: 'One poll gets the tokens. Whoever lost that answer begins a new grant.',
    body: formOrJson('DeviceTokenRequest'),
    responses: {
      200: json('Approved', 'TokenResponse'),
      ...oauthErrors(
        'authorization_pending, slow_down (five more seconds between polls, for good), access_denied, expired_token, invalid_grant, invalid_request, invalid_client, unsupported_grant_type',
      ),
    },
  },
  {
    method: 'post',
    path: '/auth/refresh',
    id: 'refreshTokens',
    tag: 'identity',
    summary: 'A new access token; the refresh token is replaced (RFC 6749 §6)',
    description:
      'For 30 seconds a replaced token still answers its successor. After that, using it revokes every token of the device.',
    body: formOrJson('RefreshRequest'),
    responses: {
      200: json('Fresh tokens', 'TokenResponse'),
      ...oauthErrors('invalid_grant, invalid_request, invalid_client, unsupported_grant_type'),
    },
  },
  {
    method: 'post',
    path: '/auth/revoke',
    id: 'revokeTokens',
    tag: 'identity',
    summary: 'Sign a device out by any of its tokens (RFC 7009)',
    description: 'Its box refuses it within a minute.',
    body: formOrJson('RevokeRequest'),
    responses: {
      200: json('Every token of the device is revoked, or the token was never ours', 'Nothing'),
      ...oauthErrors('invalid_request'),
    },
  },
  ...OAUTH_OPERATIONS,
  {
    method: 'get',
    path: '/.well-known/jwks.json',
    id: 'listKeys',
    tag: 'identity',
    summary: 'The public keys of access tokens (RFC 7517)',
    parameters: [{ in: 'header', name: 'If-None-Match', description: 'The ETag that is known' }],
    responses: {
      200: json('Keys in use, and retired ones whose tokens may still live', 'Jwks', { ETag: 'Changes with the keys' }),
      304: { description: 'Nothing has changed' },
      default: OTHERWISE,
    },
  },
  {
    method: 'get',
    path: '/.well-known/revocations/{file}',
    id: 'listRevocations',
    tag: 'identity',
    summary: 'What one box refuses although it is signed: devices that were signed out',
    description:
      'A JWT of `typ: revocations+jwt`, signed with the keys of access tokens (or the secret of the box, with HS256), good for two minutes. Its claims: iss, aud (the host name of the box), iat, exp, revoked (each `sid` that was signed out within the life of an access token), not_before (where all devices were: tokens issued before that second are refused).',
    parameters: [{ in: 'path', name: 'file', description: 'The host name of the box, and `.jwt`' }],
    responses: {
      200: { description: 'The signed list', content: { 'application/revocations+jwt': TEXT } },
      404: problem('There is no such box'),
      default: OTHERWISE,
    },
  },
];

/** An answer that says all by its status. */
export const Nothing = z.object({});
