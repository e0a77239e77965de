import { serve } from './serve.ts';
import { createSigningKey } from './tokens.ts';
import type { SigningKey } from './tokens.ts';

/** What a conductor sees of the control plane: its published keys. */
export interface TestControlPlane {
  jwksUrl: string;
  key: SigningKey;
  /** What is published now. */
  published: SigningKey[];
  /** How often the keys were asked for. */
  fetches: number;
  /** Answers this instead, when set. */
  failure: { status: number; body: string; location?: string } | undefined;
  close(): Promise<void>;
}

/** Publishes one key, counts who asks, and fails when told to. */
export async function startControlPlane(): Promise<TestControlPlane> {
  const key = await createSigningKey('first');
  const server = await serve((req, res) => {
    plane.fetches += 1;
    const { failure } = plane;
    if (failure !== undefined && req.url !== failure.location) {
      const headers = failure.location === undefined ? {} : { location: failure.location };
      res.writeHead(failure.status, headers).end(failure.body);
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
    failure: undefined,
    close: () => server.close(),
  };
  return plane;
}
