import { z } from 'zod';
import { BillingNotice } from './billing.ts';

export const DEVICE_GRANT_TYPE = 'urn:ietf:params:oauth:grant-type:device_code';
export const CLI_CLIENT_ID = 'spoq-cli';
/** The control plane that `spoq` turns to when nothing names another. */
export const DEFAULT_CONTROL_PLANE = 'https://spoq.dev';

/** POST /auth/device (RFC 8628 §3.1), form-encoded or JSON. */
export const DeviceRequest = z.object({
  client_id: z.literal(CLI_CLIENT_ID),
  hostname: z
    .string()
    .min(1)
    .max(120)
    .optional()
    .describe('What asks: the name of the computer, shown on the verify page'),
});
export type DeviceRequest = z.infer<typeof DeviceRequest>;

/** The answer to POST /auth/device (RFC 8628 §3.2). */
export const DeviceResponse = z.object({
  device_code: z.string(),
  user_code: z.string().describe('Three words, BLUE-FISH-TREE'),
  verification_uri: z.url(),
  verification_uri_complete: z.url(),
  expires_in: z.number().int().describe('Seconds'),
  interval: z.number().int().describe('Seconds to wait between two polls'),
});
export type DeviceResponse = z.infer<typeof DeviceResponse>;

/** POST /auth/authorize: what the buttons of /auth/verify send. */
export const AuthorizeRequest = z.strictObject({ code: z.string().max(200), decision: z.enum(['approve', 'deny']) });

/** POST /auth/device/token (RFC 8628 §3.4). */
export const DeviceTokenRequest = z.object({
  grant_type: z.literal(DEVICE_GRANT_TYPE),
  device_code: z.string().min(1).max(200),
  client_id: z.literal(CLI_CLIENT_ID),
});

/** POST /auth/refresh (RFC 6749 §6). */
export const RefreshRequest = z.object({
  grant_type: z.literal('refresh_token').default('refresh_token'),
  refresh_token: z.string().min(1).max(500),
  client_id: z.literal(CLI_CLIENT_ID).optional(),
});

/** Where a program of the person's own computer waits for its answer: a port of the loopback (RFC 8252 §7.3), and nothing else. */
export const LoopbackRedirect = z
  .string()
  .max(60)
  .regex(
    /^http:\/\/(127\.0\.0\.1|\[::1\]):([1-9]\d{0,4})\/callback$/,
    'must be http://127.0.0.1:<port>/callback or http://[::1]:<port>/callback',
  )
  .refine((uri) => Number(/:(\d+)\/callback$/.exec(uri)?.[1]) <= 65_535, 'has a port that does not exist');

/** What GET /auth/cli asks (RFC 6749 §4.1.1, RFC 7636 §4.3), and what the buttons of its page send back. */
export const CodeRequest = z.object({
  response_type: z.literal('code'),
  client_id: z.literal(CLI_CLIENT_ID),
  redirect_uri: LoopbackRedirect,
  code_challenge: z.string().regex(/^[\w-]{43}$/, 'must be a SHA-256 in base64url'),
  code_challenge_method: z.literal('S256'),
  state: z
    .string()
    .regex(/^[\x20-\x7e]{1,200}$/, 'must be 1 to 200 characters of ASCII')
    .optional(),
  hostname: DeviceRequest.shape.hostname,
});
export type CodeRequest = z.infer<typeof CodeRequest>;

/** POST /auth/cli: what the buttons of its page send. */
export const CodeDecision = CodeRequest.extend({ decision: z.enum(['approve', 'deny']) }).strict();

/** The code that came to the loopback, for tokens (RFC 6749 §4.1.3, RFC 7636 §4.5). */
export const CodeTokenRequest = z.object({
  grant_type: z.literal('authorization_code'),
  code: z.string().min(1).max(200),
  redirect_uri: z.string().min(1).max(200),
  code_verifier: z.string().regex(/^[\w.~-]{43,128}$/, 'must be 43 to 128 characters that need no escape'),
  client_id: z.literal(CLI_CLIENT_ID),
});
export type CodeTokenRequest = z.infer<typeof CodeTokenRequest>;

/** What /auth/token wants for a refresh: all that RFC 6749 §6 says of a public client. */
export const RefreshGrantRequest = RefreshRequest.extend({
  grant_type: z.literal('refresh_token'),
  client_id: z.literal(CLI_CLIENT_ID),
});

/** POST /auth/token: every grant (RFC 6749 §3.2). */
export const TokenRequest = z.discriminatedUnion('grant_type', [
  DeviceTokenRequest,
  CodeTokenRequest,
  RefreshGrantRequest,
]);

/** POST /auth/revoke (RFC 7009 §2.1). Whatever it is, a token that was never ours is no fault, and neither is a hint that is wrong. */
export const RevokeRequest = z.object({
  token: z.string().min(1),
  token_type_hint: z.string().optional(),
});

/** Tokens of a signed-in device: the answer of /auth/token, /auth/device/token and /auth/refresh (RFC 6749 §5.1). */
export const TokenResponse = z.object({
  access_token: z.string(),
  token_type: z.literal('Bearer'),
  expires_in: z.number().int(),
  refresh_token: z.string().describe('Starts with spoq_; rotates with every use'),
  user_id: z.uuid(),
  username: z.string(),
  vps_hostname: z.url().describe('Base URL of the box'),
  vps_status: z.string(),
  notice: BillingNotice.optional().describe('What its owner must know about what they pay'),
});
export type TokenResponse = z.infer<typeof TokenResponse>;

/** RFC 6749 §5.2 and RFC 8628 §3.5. OAuth endpoints answer this shape, not a problem document. */
export const OAuthError = z.object({
  error: z.enum([
    'invalid_request',
    'invalid_client',
    'invalid_grant',
    'unsupported_grant_type',
    'authorization_pending',
    'slow_down',
    'access_denied',
    'expired_token',
    'temporarily_unavailable',
    'server_error',
  ]),
  error_description: z.string().optional(),
});
export type OAuthError = z.infer<typeof OAuthError>;

/** GET /.well-known/oauth-authorization-server (RFC 8414 §2), so that any OAuth client finds its way. */
export const ServerMetadata = z.object({
  issuer: z.url(),
  authorization_endpoint: z.url(),
  token_endpoint: z.url(),
  device_authorization_endpoint: z.url(),
  revocation_endpoint: z.url(),
  jwks_uri: z.url(),
  response_types_supported: z.array(z.string()),
  response_modes_supported: z.array(z.string()),
  grant_types_supported: z.array(z.string()),
  code_challenge_methods_supported: z.array(z.string()),
  token_endpoint_auth_methods_supported: z.array(z.string()),
  revocation_endpoint_auth_methods_supported: z.array(z.string()),
  authorization_response_iss_parameter_supported: z.boolean(),
});
export type ServerMetadata = z.infer<typeof ServerMetadata>;

/** GET /.well-known/jwks.json (RFC 7517 §5). */
export const Jwks = z.object({
  keys: z.array(z.looseObject({ kty: z.string(), kid: z.string(), alg: z.string(), use: z.string() })),
});
export type Jwks = z.infer<typeof Jwks>;

/** Claims of an access token (RFC 9068, `typ: at+jwt`). `aud` is the box's host name. */
export const AccessTokenClaims = z.object({
  iss: z.url(),
  sub: z.uuid(),
  aud: z.string(),
  iat: z.number().int(),
  nbf: z.number().int(),
  exp: z.number().int(),
  jti: z.string(),
  client_id: z.string(),
  sid: z.uuid().describe('The device that the token was issued to; what a revocation list names'),
  user_id: z.uuid(),
  vps_hostname: z.string(),
});
export type AccessTokenClaims = z.infer<typeof AccessTokenClaims>;

/**
 * GET /.well-known/revocations/<host name>.jwt: claims of a signed list (`typ: revocations+jwt`) of what one box refuses from now
 * on although its signature and times are right. Signed with the keys of access tokens.
 */
export const RevocationClaims = z.object({
  iss: z.url(),
  aud: z.string().describe("The box's host name"),
  iat: z.number().int(),
  exp: z.number().int(),
  revoked: z.array(z.uuid()).describe('`sid` of devices that were signed out and may still hold an access token'),
  not_before: z
    .number()
    .int()
    .optional()
    .describe('Tokens issued before this second are refused: all devices were signed out'),
});
export type RevocationClaims = z.infer<typeof RevocationClaims>;
