import { z } from 'zod';
import { createVendorHttp, parseAnswer, VendorError } from '../../stacks/vendors/http.ts';

const Records = z.object({ result: z.array(z.object({ id: z.string(), comment: z.string().nullish() })) });

export interface StrayRecordOptions {
  /** The engine's environment. */
  env: Record<string, string>;
  stack: string;
  signal?: AbortSignal;
}

/**
 * Removes every DNS record that carries the stack's name as its comment. An engine that was killed between the vendor's answer and
 * its own state leaves a record that nobody knows of: it would refuse its successor ("already exists") or outlive its machine.
 */
export async function removeStrayRecords({ env, stack, signal }: StrayRecordOptions): Promise<number> {
  const {
    CLOUDFLARE_BASE_URL: baseUrl = 'https://api.cloudflare.com/client/v4',
    CLOUDFLARE_ZONE_ID: zone,
    CLOUDFLARE_API_TOKEN: token,
  } = env;
  if (zone === undefined || token === undefined) return 0;
  const http = createVendorHttp({
    vendor: 'Cloudflare',
    explain,
    backoffMs: Math.min(1_000, Number(env['PROVISION_POLL_MS'] ?? 1_000)),
  });
  const headers = { authorization: `Bearer ${token}` };
  const url = `${baseUrl}/zones/${zone}/dns_records`;
  const { body } = await http({
    method: 'GET',
    url: `${url}?comment.exact=${encodeURIComponent(stack)}`,
    headers,
    signal,
  });
  const strays = parseAnswer('Cloudflare', Records, body).result.filter(({ comment }) => comment === stack);
  for (const { id } of strays) {
    await http({ method: 'DELETE', url: `${url}/${id}`, headers, signal }).catch((error: unknown) => {
      if (!(error instanceof VendorError) || error.status !== 404) throw error;
    });
  }
  return strays.length;
}

function explain(body: unknown): string | undefined {
  const parsed = z.object({ errors: z.array(z.object({ code: z.number(), message: z.string() })) }).safeParse(body);
  return parsed.success
    ? parsed.data.errors.map(({ code, message }) => `${message} (${code})`).join('; ') || undefined
    : undefined;
}
