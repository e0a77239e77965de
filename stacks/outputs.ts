import { z } from 'zod';

/** What a box's stack says of itself: the only source of a box's address, machine id and region. */
export const BoxOutputs = z.object({
  ip_address: z.ipv4(),
  provider_instance_id: z.string().min(1),
  region: z.string().min(1),
  hostname: z.string().min(1),
  url: z.url(),
  ssh_host_key_fingerprint: z.string().regex(/^SHA256:/, 'is not a SHA256 fingerprint'),
});
export type BoxOutputs = z.infer<typeof BoxOutputs>;

/** The outputs in `value`, or undefined while the stack has not (or not completely) been made. */
export function parseBoxOutputs(value: unknown): BoxOutputs | undefined {
  return BoxOutputs.safeParse(value).data;
}
