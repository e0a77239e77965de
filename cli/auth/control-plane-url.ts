import { DEFAULT_CONTROL_PLANE } from '../../contract/auth.ts';
import type { Credentials } from '../../contract/files.ts';
import type { CliDeps } from '../deps.ts';
import { parseJson } from '../http/problem.ts';
import { parseServiceUrl } from '../http/url.ts';

/** Which control plane to talk to: SPOQ_URL, else the one that issued the sign-in, else https://spoq.dev. */
export function findControlPlaneUrl(env: CliDeps['env'], credentials?: Credentials): URL {
  if (env.SPOQ_URL) return parseServiceUrl(env.SPOQ_URL, 'SPOQ_URL');
  const issuer = credentials === undefined ? undefined : readIssuer(credentials.access_token);
  return parseServiceUrl(issuer ?? DEFAULT_CONTROL_PLANE, 'The issuer of the sign-in');
}

/** The `iss` claim. Not verified: the token comes from our own file, and the box verifies it. */
function readIssuer(accessToken: string): string | undefined {
  const payload = parseJson(Buffer.from(accessToken.split('.')[1] ?? '', 'base64url').toString('utf8'));
  if (typeof payload !== 'object' || payload === null || !('iss' in payload)) return undefined;
  return typeof payload.iss === 'string' ? payload.iss : undefined;
}
