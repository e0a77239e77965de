import manifest from '../package.json' with { type: 'json' };

/** The version of this conductor: the one of package.json, compiled into the executable. */
export const VERSION = manifest.version;
