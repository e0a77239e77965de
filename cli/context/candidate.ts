/** A file that may be sent. */
export interface Candidate {
  /** As the box sees it: relative, with slashes. */
  path: string;
  /** Absolute. */
  file: string;
  /** `named` by the person, `tracked` by git, or `found`: untracked, or in a folder outside of git. */
  origin: 'named' | 'tracked' | 'found';
  /** `--allow`: sent as it is. */
  allowed: boolean;
}

/** A file that is not sent, and why. */
export interface LeftOut {
  path: string;
  bytes: number | null;
  reason: string;
  /** True when the person named this very file. */
  named: boolean;
  /** True when it was kept back because it looks secret. */
  withheld: boolean;
}

/** A token is about four bytes of English or code. */
export const BYTES_PER_TOKEN = 4;

/** Estimated tokens of so many bytes. */
export function estimateTokens(bytes: number): number {
  return Math.ceil(bytes / BYTES_PER_TOKEN);
}
