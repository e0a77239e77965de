import type { DeviceResponse } from '../../contract/auth.ts';
import { hashToken, randomToken } from '../cipher.ts';
import { cleanText } from '../clean-text.ts';
import { insertDeviceGrant } from '../db/device-grants.ts';
import type { Deps } from '../deps.ts';
import { createWordCode } from '../word-code.ts';

/** ASVS 5.0 §6.5.5: codes that are typed live for ten minutes at most. */
const GRANT_SECONDS = 600;
/** RFC 8628 §3.2: what a client assumes anyway. */
const POLL_SECONDS = 5;
const DRAWS = 5;

/** What asks: its own name for itself, and where the request came from. All of it is shown to the person, none is trusted. */
export interface AskingDevice {
  hostname?: string | undefined;
  ip: string;
  userAgent: string;
}

/** Begins a device grant (RFC 8628 §3.2). The device code is only known to the device: the database has its hash. */
export async function startDeviceGrant(
  deps: Pick<Deps, 'config' | 'db' | 'now'>,
  device: AskingDevice,
): Promise<DeviceResponse> {
  const deviceCode = randomToken();
  const now = deps.now();
  for (let draw = 0; draw < DRAWS; draw += 1) {
    const wordCode = createWordCode();
    const inserted = await insertDeviceGrant(deps.db, {
      device_code_hash: hashToken(deviceCode),
      word_code: wordCode,
      hostname: cleanLabel(device.hostname),
      ip: device.ip,
      user_agent: cleanLabel(device.userAgent),
      interval_seconds: POLL_SECONDS,
      expires_at: new Date(now.getTime() + GRANT_SECONDS * 1000),
      created_at: now,
    });
    if (!inserted) continue;
    const page = `${deps.config.BASE_URL}/auth/verify`;
    return {
      device_code: deviceCode,
      user_code: wordCode,
      verification_uri: page,
      verification_uri_complete: `${page}?code=${wordCode}`,
      expires_in: GRANT_SECONDS,
      interval: POLL_SECONDS,
    };
  }
  throw new Error(`${DRAWS} draws of three words were all taken`);
}

function cleanLabel(text: string | undefined): string | null {
  return cleanText(text ?? '') || null;
}
