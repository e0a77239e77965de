import { inventHex, inventKey } from '../keys.ts';
import { createPeople, type Person } from './people.ts';

/** A code on its way from the authorize page to the token endpoint. */
export interface Code {
  client_id: string;
  person: number;
  scope: string;
  redirect_uri: string | null;
  /** base64url of SHA-256 of the verifier (RFC 7636 §4.2); null when the sign-in began without PKCE. */
  code_challenge: string | null;
  /** Milliseconds since the epoch of the sandbox's clock. */
  expires_at: number;
}

export interface GithubState {
  client_id: string;
  client_secret: string;
  /** Prefixes that a redirect_uri may have besides loopback: what an OAuth app registers. */
  callbacks: string[];
  people: Person[];
  codes: Record<string, Code>;
  tokens: Record<string, { person: number; scope: string }>;
}

export function createGithubState(): GithubState {
  return {
    client_id: inventKey('Ov23li', 14),
    client_secret: inventHex(40),
    callbacks: [],
    people: createPeople(),
    codes: {},
    tokens: {},
  };
}
