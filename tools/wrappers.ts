import path from 'node:path';
import type { Parts } from './parts.ts';
import type { StateFolder } from './state-folder.ts';
import { writePrivateFile } from './state-folder.ts';

export interface WrapperOptions {
  root: string;
  parts: Pick<Parts, 'baseUrl' | 'environment'>;
  /** argv of the spoq executable. */
  spoq: string[];
}

/**
 * Writes `.spoq/bin/spoq`, a spoq that talks to this run and keeps its credentials in here, and `.spoq/bin/pulumi`, an engine that
 * sees this run's stacks. 0700: the second one holds the passphrase.
 */
export function writeWrappers(folder: StateFolder, { root, parts, spoq }: WrapperOptions): void {
  const home = path.join(folder.dir, 'home');
  const cli = [
    '#!/bin/sh',
    '# spoq against the sandbox of this clone; written by `npm start`.',
    `: "\${SPOQ_URL:=${parts.baseUrl}}" "\${SPOQ_HOME:=${home}}"`,
    'export SPOQ_URL SPOQ_HOME',
    `exec ${spoq.map(quote).join(' ')} "$@"`,
  ];
  writePrivateFile(path.join(folder.bin, 'spoq'), `${cli.join('\n')}\n`, 0o700);
  // All of it: the program asks the operators' command what the box should be, and that reads the whole configuration.
  const { CLOUDFLARE_API_URL: baseUrl } = parts.environment;
  const variables = Object.entries({
    ...parts.environment,
    ...(baseUrl === undefined ? {} : { CLOUDFLARE_BASE_URL: baseUrl }),
  });
  const engine = [
    '#!/bin/sh',
    '# pulumi with the state and the vendors of this clone; written by `npm start`.',
    ...variables.map(([name, value]) => `export ${name}=${quote(value)}`),
    `exec pulumi -C ${quote(root)} "$@"`,
  ];
  writePrivateFile(path.join(folder.bin, 'pulumi'), `${engine.join('\n')}\n`, 0o700);
}

function quote(word: string): string {
  return /^[\w./:=@-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
