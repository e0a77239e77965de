import { z } from 'zod';
import type { ProviderName } from '../../contract/vps.ts';
import { createContabo } from '../vendors/contabo.ts';
import { createHostinger } from '../vendors/hostinger.ts';
import type { Vendor } from '../vendors/vendor.ts';

/** What the control plane's environment says of vendors; each vendor's variables may be absent altogether. */
const Environment = z.object({
  CONTABO_API_URL: z.url().default('https://api.contabo.com'),
  CONTABO_AUTH_URL: z.url().default('https://auth.contabo.com/auth/realms/contabo/protocol/openid-connect/token'),
  CONTABO_CLIENT_ID: z.string().optional(),
  CONTABO_CLIENT_SECRET: z.string().optional(),
  CONTABO_API_USER: z.string().optional(),
  CONTABO_API_PASSWORD: z.string().optional(),
  HOSTINGER_API_URL: z.url().default('https://developers.hostinger.com'),
  HOSTINGER_API_KEY: z.string().optional(),
  HOSTINGER_PAYMENT_METHOD_ID: z.coerce.number().int().positive().optional(),
  PROVISION_POLL_MS: z.coerce.number().int().positive().default(5_000),
  PROVISION_DEADLINE_SECONDS: z.coerce.number().positive().default(1_800),
});

export interface VendorConfig {
  vendors: Partial<Record<ProviderName, Vendor>>;
  pollMs: number;
  deadlineMs: number;
}

/** Clients for every vendor that has credentials in `env` (empty strings count as unset). Throws zod's error, all faults in it. */
export function loadVendors(env: Record<string, string | undefined>): VendorConfig {
  const given = Environment.parse(Object.fromEntries(Object.entries(env).filter(([, value]) => value !== '')));
  // A first wait of a second, or less where polling is quicker than that (tests, the sandbox).
  const backoffMs = Math.min(1_000, given.PROVISION_POLL_MS);
  const vendors: VendorConfig['vendors'] = {};
  const {
    CONTABO_CLIENT_ID: clientId,
    CONTABO_CLIENT_SECRET: clientSecret,
    CONTABO_API_USER: user,
    CONTABO_API_PASSWORD: password,
  } = given;
  if (clientId && clientSecret && user && password)
    vendors.contabo = createContabo({
      apiUrl: given.CONTABO_API_URL,
      authUrl: given.CONTABO_AUTH_URL,
      clientId,
      clientSecret,
      user,
      password,
      backoffMs,
    });
  if (given.HOSTINGER_API_KEY)
    vendors.hostinger = createHostinger({
      apiUrl: given.HOSTINGER_API_URL,
      apiKey: given.HOSTINGER_API_KEY,
      paymentMethodId: given.HOSTINGER_PAYMENT_METHOD_ID,
      backoffMs,
    });
  return { vendors, pollMs: given.PROVISION_POLL_MS, deadlineMs: given.PROVISION_DEADLINE_SECONDS * 1000 };
}
