import { choosePlace } from '../../conductor/work/place.ts';
import { serveWork } from '../../conductor/work/serve-work.ts';

/** `conductor work` without what else is in the conductor: it starts in no time. */
const [, ...rest] = process.argv.slice(2);
const value = (flag: string): string | undefined => rest[rest.indexOf(flag) + 1];
const options = { home: value('--home'), workspace: value('--workspace'), repository: value('--repository') };
const place = choosePlace(options, process.env['PATH'] ?? '');
await serveWork({ input: process.stdin, output: process.stdout, place, proxyPort: Number(value('--proxy-port')) });
process.exit(0);
