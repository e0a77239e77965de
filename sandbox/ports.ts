import type { VendorName } from './vendor.ts';

/** Everything of the sandbox that has a port. */
export type PortName = VendorName | 'page' | 'edge';

/** Places in a block of ports. The control plane has the first; Postgres and the worker's metrics sit in between. */
const OFFSETS: Record<PortName, number> = {
  page: 1,
  stripe: 2,
  github: 3,
  contabo: 4,
  hostinger: 5,
  cloudflare: 6,
  anthropic: 7,
  openai: 8,
  edge: 9,
  mail: 12,
};

/** The port of a part in the block that begins at `base`; 0 for a free one each. */
function choosePort(base: number, name: PortName): number {
  return base === 0 ? 0 : base + OFFSETS[name];
}

/** Opens a part on its port; says which one is taken and by what name it is known. */
export async function openPort<T>(base: number, name: PortName, open: (port: number) => Promise<T>): Promise<T> {
  const port = choosePort(base, name);
  try {
    return await open(port);
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'EADDRINUSE')) throw cause;
    throw new Error(`Port ${port}, meant for the sandbox's ${name}, is in use; choose another block of ports`, {
      cause,
    });
  }
}
