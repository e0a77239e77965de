import { connect } from 'node:net';
import { join as joinPath } from 'node:path';
import type { Logger } from 'pino';
import { startAcme } from './acme.ts';
import { forwardPort } from './forward.ts';
import type { Internet, InternetParts } from './internet.ts';
import { type NetworkState, openNetwork } from './machines/nspawn/network.ts';
import { createNspawnKind } from './machines/nspawn/nspawn-machine.ts';
import { createNameServer } from './name-server.ts';
import type { Store } from './state.ts';
import { createTlsEdge, serveTlsByName } from './tls-edge.ts';

export interface BootedOptions {
  /** The system that machines start from, and Let's Encrypt's test server. */
  tree: string;
  pebble: string;
  /** How many machines may run at once. */
  limit: number;
  /** The control plane's base URL on this computer. */
  controlPlane: string;
  /** Host names outside that machines may reach, on port 443. */
  outside: readonly string[];
  /** How long certificates are valid; years when left out. */
  certificateSeconds?: number;
  store: Store<NetworkState>;
  stateDir: string;
  log: Logger;
}

/**
 * For machines that boot: a network of their own, whose gateway is this computer. There it plays what the internet is to a box: the
 * name server, Let's Encrypt, and the ways to the control plane and the models. There is no other way out.
 */
export async function createBootedInternet(options: BootedOptions): Promise<Internet> {
  const { tree, pebble, limit, controlPlane, outside, certificateSeconds, log } = options;
  const network = await openNetwork(options.store);
  const { gateway } = network;

  const openOutside = async ({ onClose }: InternetParts): Promise<void> => {
    if (outside.length === 0) return;
    const find = (name: string) =>
      outside.includes(name) ? connect({ host: name, port: 443 }) : `Machines have no way to ${name}.`;
    const ways = await serveTlsByName({ find, say: (sentence) => log.warn(sentence) }, { host: gateway, port: 443 });
    onClose(ways.close);
  };

  return {
    kind: createNspawnKind({ tree, network, limit }),
    async connect(parts) {
      const { zone, resolve, findFront, openEdge, host, models, onClose } = parts;
      const resolveAny = (name: string): string[] => (outside.includes(name) ? [gateway] : resolve(name));
      const names = await createNameServer({ zones: [zone, ...outside], resolve: resolveAny }, { host: gateway });
      onClose(names.close);
      const folder = joinPath(options.stateDir, 'acme');
      const acme = await startAcme({ pebble, tree, folder, host: gateway, certificateSeconds, log });
      onClose(acme.close);
      await openOutside(parts);
      const forward = async (target: string): Promise<string> => {
        const { url, close } = await forwardPort(gateway, target);
        onClose(close);
        return url;
      };
      const variables: Record<string, string> = {};
      for (const [name, url] of Object.entries(models)) variables[name] = await forward(url);
      const edge = await openEdge((port) =>
        createTlsEdge({ resolve, findFront, say: (sentence) => log.warn(sentence) }, { host, port }),
      );
      onClose(edge.close);
      return {
        edge,
        variables: {
          ...variables,
          BOX_DOMAIN: zone,
          BOX_URL_TEMPLATE: `https://{hostname}:${edge.port}`,
          BOX_CONVERGE: 'ssh',
          BOX_CONTROL_PLANE_URL: await forward(controlPlane),
          ACME_DIRECTORY_URL: acme.directoryUrl,
          ACME_CA_FILE: acme.serverCaFile,
          NODE_EXTRA_CA_CERTS: acme.rootsFile,
        },
      };
    },
    close: network.close,
  };
}
