import { pino } from 'pino';
import { serveFiles } from '../../conductor/files/server.ts';

/** The program that keeps the files, without what else is in the conductor: it starts in no time, and can be killed often. */
const [home = '', socket = ''] = process.argv.slice(2);
await serveFiles({ home, listen: { path: socket }, log: pino({ level: 'silent' }) });
process.stdout.write('listening\n');
