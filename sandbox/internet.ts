import { createEdge, type Edge, type EdgeDeps } from './edge.ts';
import type { MachineKind } from './machines/machine.ts';
import { createProcessKind } from './machines/process-machine.ts';

/** What lies between people, vendors and machines: names, addresses, ways. */
export interface Internet {
  /** What machines are made of. */
  kind: MachineKind;
  /** Opens the ways, once the vendors listen. */
  connect(parts: InternetParts): Promise<Connected>;
  close(): Promise<void>;
}

export interface InternetParts extends EdgeDeps {
  /** The domain of boxes. */
  zone: string;
  /** Opens the front door on its port. */
  openEdge(open: (port: number) => Promise<Edge>): Promise<Edge>;
  host: string;
  /** Base URLs of vendors that boxes call. */
  models: Record<string, string>;
  /** Takes a server that is to be closed with the sandbox. */
  onClose(close: () => Promise<void>): void;
}

export interface Connected {
  edge: Edge;
  /** Environment variables of a control plane whose boxes are here. */
  variables: Record<string, string>;
}

/** For machines that are processes: names lead through a front door that speaks HTTP, and everything else is on this computer. */
export function createProcessInternet(conductor: readonly string[]): Internet {
  return {
    kind: createProcessKind(conductor),
    async connect({ zone, openEdge, host, onClose, ...deps }) {
      const edge = await openEdge((port) => createEdge(deps, { host, port }));
      onClose(edge.close);
      const variables = {
        BOX_DOMAIN: zone,
        BOX_URL_TEMPLATE: `http://{hostname}:${edge.port}`,
        // A machine that is a process has no sshd.
        BOX_CONVERGE: 'none',
      };
      return { edge, variables };
    },
    close: async () => {},
  };
}
