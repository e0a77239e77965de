import {
  AuthorizeRequest,
  CodeDecision,
  DeviceRequest,
  DeviceResponse,
  DeviceTokenRequest,
  Jwks,
  OAuthError,
  RefreshRequest,
  RevokeRequest,
  ServerMetadata,
  TokenRequest,
  TokenResponse,
} from './auth.ts';
import { BootReport } from './boot.ts';
import { ACCOUNT_OPERATIONS } from './openapi-account.ts';
import { BILLING_OPERATIONS } from './openapi-billing.ts';
import { BOX_OPERATIONS, StripeEvent } from './openapi-boxes.ts';
import { IDENTITY_OPERATIONS, Nothing } from './openapi-identity.ts';
import { RELEASE_OPERATIONS } from './openapi-releases.ts';
import { Health, OpenApiDocument, Readiness, SERVICE_OPERATIONS } from './openapi-service.ts';
import { buildOpenApi, type JsonObject, type NamedSchema } from './openapi.ts';
import {
  ChangePlanRequest,
  CreateSubscriptionRequest,
  CreateSubscriptionResponse,
  StripeEventReceipt,
} from './billing.ts';
import { Problem } from './problem.ts';
import { ReleaseManifest } from './release.ts';
import { DeleteAccountRequest, NothingSaid, SignOutRequest } from './account.ts';
import { OperateRequest, ProvisionRequest, SetPasswordRequest, VpsEvent, VpsResource } from './vps.ts';

const input = (schema: NamedSchema['schema']): NamedSchema => ({ schema, io: 'input' });
const output = (schema: NamedSchema['schema']): NamedSchema => ({ schema, io: 'output' });

/** The OpenAPI 3.1 document of the control plane at `baseUrl`. */
export function buildControlPlaneDocument(baseUrl: string, version: string): JsonObject {
  return buildOpenApi({
    title: 'Spoq control plane',
    version,
    description:
      'Sign-up, money, identity and boxes. Failures are problem documents (RFC 9457) with a stable `code`; OAuth endpoints answer RFC 6749 errors.',
    server: { url: baseUrl, description: 'The control plane' },
    tags: {
      identity: 'Who somebody is: GitHub, devices, tokens',
      boxes: 'Boxes: asking for one, seeing how it comes along',
      billing: 'Money, through Stripe',
      pages: 'What a person sees in a browser',
      service: 'Health, measurements and documents',
    },
    securitySchemes: {
      session: {
        type: 'apiKey',
        in: 'cookie',
        name: baseUrl.startsWith('https://') ? '__Host-spoq_session' : 'spoq_session',
        description:
          'From a sign-in. Writes must also come from a page of ours (Sec-Fetch-Site or Origin); what another site reads must be a page that is seen.',
      },
      boot: { type: 'http', scheme: 'bearer', description: 'The boot token that a new machine was given' },
      metrics: { type: 'http', scheme: 'bearer', description: 'METRICS_TOKEN, where one is set' },
    },
    schemas: {
      AuthorizeRequest: input(AuthorizeRequest),
      BootReport: input(BootReport),
      ChangePlanRequest: input(ChangePlanRequest),
      CodeDecision: input(CodeDecision),
      CreateSubscriptionRequest: input(CreateSubscriptionRequest),
      CreateSubscriptionResponse: output(CreateSubscriptionResponse),
      DeviceRequest: input(DeviceRequest),
      DeviceResponse: output(DeviceResponse),
      DeviceTokenRequest: input(DeviceTokenRequest),
      Health: output(Health),
      Jwks: output(Jwks),
      Nothing: output(Nothing),
      NothingSaid: input(NothingSaid),
      OAuthError: output(OAuthError),
      OpenApiDocument: output(OpenApiDocument),
      OperateRequest: input(OperateRequest),
      SignOutRequest: input(SignOutRequest),
      DeleteAccountRequest: input(DeleteAccountRequest),
      Problem: output(Problem),
      ProvisionRequest: input(ProvisionRequest),
      Readiness: output(Readiness),
      RefreshRequest: input(RefreshRequest),
      ReleaseManifest: output(ReleaseManifest),
      RevokeRequest: input(RevokeRequest),
      ServerMetadata: output(ServerMetadata),
      SetPasswordRequest: input(SetPasswordRequest),
      StripeEvent: input(StripeEvent),
      StripeEventReceipt: output(StripeEventReceipt),
      TokenRequest: input(TokenRequest),
      TokenResponse: output(TokenResponse),
      VpsEvent: output(VpsEvent),
      VpsResource: output(VpsResource),
    },
    operations: [
      ...IDENTITY_OPERATIONS,
      ...BOX_OPERATIONS,
      ...BILLING_OPERATIONS,
      ...ACCOUNT_OPERATIONS,
      ...RELEASE_OPERATIONS,
      ...SERVICE_OPERATIONS,
    ],
  });
}
