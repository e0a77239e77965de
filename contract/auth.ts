import { z } from 'zod';

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

/** POST /auth/revoke (RFC 7009 §2.1). */
export const RevokeRequest = z.object({
  token: z.string().min(1).max(4000),
  token_type_hint: z.string().max(100).optional(),
});

/** Tokens of a signed-in device: the answer of /auth/device/token and /auth/refresh (RFC 6749 §5.1). */
export const TokenResponse = z.object({
  access_token: z.string(),
  token_type: z.literal('Bearer'),
  expires_in: z.number().int(),
  refresh_token: z.string().describe('Starts with spoq_; rotates with every use'),
  user_id: z.uuid(),
  username: z.string(),
  vps_hostname: z.url().describe('Base URL of the box'),
  vps_status: z.string(),
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
  user_id: z.uuid(),
  vps_hostname: z.string(),
});
export type AccessTokenClaims = z.infer<typeof AccessTokenClaims>;
