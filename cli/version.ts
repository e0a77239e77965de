import manifest from '../package.json' with { type: 'json' };

/** The version of this program: the one of the package it is built from. */
export const VERSION: string = manifest.version;
