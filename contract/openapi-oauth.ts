import {
  formOrJson,
  json,
  LIMITED,
  oauthErrors,
  OTHERWISE,
  page,
  problem,
  query,
  redirect,
  TOO_LARGE,
} from './openapi-answers.ts';
import type { Operation } from './openapi.ts';

const CODE_PARAMETERS = [
  query('response_type', 'code'),
  query('client_id', 'spoq-cli'),
  query('redirect_uri', 'http://127.0.0.1:<port>/callback or http://[::1]:<port>/callback, with any port'),
  query('code_challenge', 'SHA-256 of the verifier in base64url (RFC 7636)'),
  query('code_challenge_method', 'S256'),
  query('state', 'Comes back as it is'),
  query('hostname', 'The name of the computer, shown on the page'),
];

/** What any OAuth client needs: metadata, one token endpoint, and the authorization code with PKCE. */
export const OAUTH_OPERATIONS: Operation[] = [
  {
    method: 'get',
    path: '/.well-known/oauth-authorization-server',
    id: 'showServerMetadata',
    tag: 'identity',
    summary: 'Where an OAuth client finds everything (RFC 8414)',
    responses: { 200: json('The metadata', 'ServerMetadata'), default: OTHERWISE },
  },
  {
    method: 'post',
    path: '/auth/token',
    id: 'exchangeGrant',
    tag: 'identity',
    summary: 'Tokens for a device code, an authorization code or a refresh token (RFC 6749 §3.2)',
    description:
      'The client is public and must not authenticate. A code that is used twice revokes the tokens made from it.',
    body: formOrJson('TokenRequest'),
    responses: {
      200: json('Tokens', 'TokenResponse'),
      401: json('invalid_client: there was an Authorization header', 'OAuthError', {
        'WWW-Authenticate': 'The scheme that was tried',
      }),
      ...oauthErrors('as at /auth/device/token and /auth/refresh, and invalid_grant for a code that is not good'),
    },
  },
  {
    method: 'get',
    path: '/auth/cli',
    id: 'showCodeRequest',
    tag: 'identity',
    summary: 'The page where a person signs in a program on their own computer (RFC 6749 §4.1, RFC 8252)',
    description: 'The authorization endpoint. PKCE with S256 is required.',
    security: ['session'],
    parameters: CODE_PARAMETERS,
    responses: {
      200: page('Account, box and what asks; or that the set-up comes first'),
      302: redirect(
        'Not signed in: to GitHub and back. Something is wrong: to redirect_uri, with error, state and iss',
      ),
      400: problem('Another client, or a redirect_uri that is not allowed'),
      default: OTHERWISE,
    },
  },
  {
    method: 'post',
    path: '/auth/cli',
    id: 'decideCodeRequest',
    tag: 'identity',
    summary: 'Approve or deny; a form of /auth/cli',
    security: ['session'],
    body: formOrJson('CodeDecision'),
    responses: {
      303: redirect('To redirect_uri, with code or error, state and iss (RFC 9207)'),
      400: problem('Something is missing, or redirect_uri is not allowed'),
      401: problem('Not signed in'),
      403: problem('Sent by another site'),
      404: problem('There is no box'),
      413: TOO_LARGE,
      415: problem('Neither a form nor JSON'),
      429: LIMITED,
      default: OTHERWISE,
    },
  },
];
