import { createAnthropicVendor } from './anthropic/vendor.ts';
import { createCloudflareVendor, API_PATH as CLOUDFLARE_PATH } from './cloudflare/vendor.ts';
import { createContaboVendor } from './contabo/vendor.ts';
import { TOKEN_PATH as CONTABO_TOKEN_PATH } from './contabo/token.ts';
import { createGithubVendor } from './github/vendor.ts';
import { createHostingerVendor } from './hostinger/vendor.ts';
import type { Machines } from './machines/machines.ts';
import { createMailVendor } from './mail/vendor.ts';
import { createOpenAIVendor } from './openai/vendor.ts';
import { createStripeVendor } from './stripe/vendor.ts';
import type { Vendor, VendorContext, VendorName } from './vendor.ts';

export interface VendorParts {
  machines: Machines;
  /** The name of the one DNS zone. */
  zone: string;
}

interface VendorEntry {
  create(context: VendorContext, parts: VendorParts): Vendor | Promise<Vendor>;
  /** The environment variables that hold the vendor's addresses, from its base URL. */
  addresses(url: string): Record<string, string>;
}

/** How each vendor is made, and which variables point a control plane at it. */
export const VENDORS: Record<VendorName, VendorEntry> = {
  stripe: {
    create: createStripeVendor,
    addresses: (url) => ({ STRIPE_API_URL: url }),
  },
  github: {
    create: createGithubVendor,
    // github.com and api.github.com on one port: their paths differ
    addresses: (url) => ({ GITHUB_URL: url, GITHUB_API_URL: url }),
  },
  contabo: {
    create: (context, { machines }) => createContaboVendor(context, machines),
    addresses: (url) => ({ CONTABO_API_URL: url, CONTABO_AUTH_URL: url + CONTABO_TOKEN_PATH }),
  },
  hostinger: {
    create: (context, { machines }) => createHostingerVendor(context, machines),
    addresses: (url) => ({ HOSTINGER_API_URL: url }),
  },
  cloudflare: {
    create: (context, { zone }) => createCloudflareVendor(context, { zone }),
    addresses: (url) => ({ CLOUDFLARE_API_URL: url + CLOUDFLARE_PATH }),
  },
  anthropic: {
    create: createAnthropicVendor,
    addresses: (url) => ({ ANTHROPIC_BASE_URL: `${url}/v1` }),
  },
  openai: {
    create: createOpenAIVendor,
    addresses: (url) => ({ OPENAI_BASE_URL: `${url}/v1` }),
  },
  mail: {
    create: createMailVendor,
    addresses: (url) => ({ SMTP_URL: url }),
  },
};
