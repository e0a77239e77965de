import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { TokenResponse } from '../../contract/auth.ts';
import type { Credentials } from '../../contract/files.ts';

export const USER_ID = '3f1c9a52-6f6e-4b7d-9d5e-0a1b2c3d4e5f';

/** Tokens as the control plane answers them. */
export function createTokens(fields: Partial<TokenResponse> = {}): TokenResponse {
  return {
    access_token: 'access-1',
    token_type: 'Bearer',
    expires_in: 3600,
    refresh_token: 'refresh-1',
    user_id: USER_ID,
    username: 'alice',
    vps_hostname: 'https://alice.spoq.dev',
    vps_status: 'ready',
    ...fields,
  };
}

/** A sign-in that holds for long, unless `fields` say otherwise. */
export function createCredentials(fields: Partial<Credentials> = {}): Credentials {
  return {
    vps_hostname: 'https://alice.spoq.dev',
    access_token: 'access-1',
    refresh_token: 'refresh-1',
    expires_at: '2099-01-01T00:00:00Z',
    user_id: USER_ID,
    username: 'alice',
    ...fields,
  };
}

/** Writes a sign-in where spoq looks for it. */
export async function writeCredentials(path: string, credentials: Credentials): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writeFile(path, JSON.stringify(credentials));
  await chmod(path, 0o600);
}
