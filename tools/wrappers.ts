import path from 'node:path';
import type { Parts } from './parts.ts';
import type { StateFolder } from './state-folder.ts';
import { writePrivateFile } from './state-folder.ts';

export interface WrapperOptions {
  root: string;
  parts: Pick<Parts, 'baseUrl' | 'environment'>;
  /** argv of the spoq executable. */
  spoq: readonly string[];
}

/**
 * Writes `.spoq/bin/spoq`, a spoq that talks to this run and keeps its credentials in here, and `.spoq/bin/pulumi`, an engine that
 * sees this run's stacks: `.spoq/bin/pulumi preview --stack box-<id>`.
 */
export function writeWrappers(folder: StateFolder, { root, parts, spoq }: WrapperOptions): void {
  const home = path.join(folder.dir, 'home');
  const roots = parts.environment['NODE_EXTRA_CA_CERTS'];
  const cli = [
    '#!/bin/sh',
    '# spoq against the sandbox of this clone; written by `npm start`.',
    `: "\${SPOQ_URL:=${parts.baseUrl}}" "\${SPOQ_HOME:=${home}}"`,
    'export SPOQ_URL SPOQ_HOME',
    // Boxes that boot have certificates of the sandbox's own authority.
    ...(roots === undefined ? [] : [`export NODE_EXTRA_CA_CERTS=${quote(roots)}`]),
    `exec ${spoq.map(quote).join(' ')} "$@"`,
  ];
  writePrivateFile(path.join(folder.bin, 'spoq'), `${cli.join('\n')}\n`, 0o700);
  const operator = ['node', path.join(root, 'tools', 'setup.mjs'), 'operator', 'env'].map(quote).join(' ');
  const engine = [
    '#!/bin/sh',
    '# pulumi with the state and the vendors of this clone; written by `npm start`. Holds no secret: they are asked for.',
    `export SPOQ_STATE_DIR=${quote(folder.dir)}`,
    `exports=$(${operator}) || exit`,
    'eval "$exports"',
    `exec pulumi -C ${quote(root)} "$@"`,
  ];
  writePrivateFile(path.join(folder.bin, 'pulumi'), `${engine.join('\n')}\n`, 0o700);
}

function quote(word: string): string {
  return /^[\w./:=@-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
