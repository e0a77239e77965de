import { serve } from './serve.ts';
import { createSigningKey, signRevocations } from './tokens.ts';
import type { SigningKey, TokenChanges } from './tokens.ts';

/** What a conductor sees of the control plane: its published keys, and what it revoked. */
export interface TestControlPlane {
  jwksUrl: string;
  key: SigningKey;
  /** What is published now. */
  published: SigningKey[];
  /** How often the keys were asked for. */
  fetches: number;
  /** The list for every box; undefined where the list is not there. */
  revocations: { revoked: string[]; not_before?: number } | undefined;
  /** Makes a list that is wrong in something. */
  listChanges: TokenChanges;
  /** How often the list was asked for. */
  listFetches: number;
  /** Answers this instead, when set. */
  failure: { status: number; body: string; location?: string } | undefined;
  close(): Promise<void>;
}

/** Publishes one key and one list, counts who asks, and fails when told to. */
export async function startControlPlane(): Promise<TestControlPlane> {
  const key = await createSigningKey('first');
  const server = await serve(async (req, res) => {
    const isList = req.url?.startsWith('/.well-known/revocations/') === true;
    if (isList) plane.listFetches += 1;
    else plane.fetches += 1;
    const { failure } = plane;
    if (failure !== undefined && req.url !== failure.location) {
      const headers = failure.location === undefined ? {} : { location: failure.location };
      res.writeHead(failure.status, headers).end(failure.body);
      return;
    }
    if (isList) {
      const list = plane.revocations && (await signRevocations(plane.key, plane.revocations, plane.listChanges));
      res.writeHead(list === undefined ? 404 : 200).end(list);
      return;
    }
    res.writeHead(200, { 'content-type': 'application/json' });
    res.end(JSON.stringify({ keys: plane.published.map(({ jwk }) => jwk) }));
  });
  const plane: TestControlPlane = {
    jwksUrl: `${server.url}/.well-known/jwks.json`,
    key,
    published: [key],
    fetches: 0,
    revocations: { revoked: [] },
    listChanges: {},
    listFetches: 0,
    failure: undefined,
    close: () => server.close(),
  };
  return plane;
}
