import type { AddressInfo } from 'node:net';
import type { Readable } from 'node:stream';
import { callbackify } from 'node:util';
import { SMTPServer } from 'smtp-server';
import { inventHex } from '../keys.ts';
import type { Store } from '../state.ts';
import type { SandboxMail, Vendor, VendorContext, VendorServer } from '../vendor.ts';
import { readMail } from './read-mail.ts';

/** Mails that are kept; the oldest go first. */
const KEPT = 500;
/** The largest mail that is taken, in bytes: what most servers take. */
const LIMIT = 25 * 1024 * 1024;

/** A mail server that delivers nothing and keeps everything, for the sandbox's page. Speaks SMTP without encryption. */
export function createMailVendor(context: VendorContext): Vendor {
  const store = context.openStore<{ mails: SandboxMail[] }>(() => ({ mails: [] }));
  return {
    serve: (at) => serveSmtp({ store, now: () => context.clock.now() }, at),
    credentials: {},
    summarize: () => ({ mails: store.data.mails.length }),
    inspect: () => store.data,
    mails: () => store.data.mails.toReversed(),
  };
}

interface SmtpDeps {
  store: Store<{ mails: SandboxMail[] }>;
  now: () => Date;
}

async function serveSmtp(deps: SmtpDeps, at: { host: string; port: number }): Promise<VendorServer> {
  const server = new SMTPServer({
    banner: "Spoq's sandbox, which delivers nothing",
    authOptional: true,
    allowInsecureAuth: true,
    // Whoever signs in is let in: there is nothing to protect.
    onAuth: ({ username }, _session, callback) => callback(null, { user: username ?? '' }),
    disabledCommands: ['STARTTLS'],
    disableReverseLookup: true,
    size: LIMIT,
    onData(stream, { envelope }, callback) {
      const to = envelope.rcptTo.map(({ address }) => address);
      const from = envelope.mailFrom === false ? '' : envelope.mailFrom.address;
      const keep = callbackify(() => keepMail(deps, stream, { from, to }));
      keep((error, id) => callback(error, `Kept as ${id}`));
    },
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(at.port, at.host, () => {
      server.off('error', reject);
      // A client that breaks off says so here; it is its own business.
      server.on('error', () => undefined);
      resolve();
    });
  });
  const { port } = server.server.address() as AddressInfo;
  return {
    name: 'mail',
    url: `smtp://${at.host}:${port}`,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

async function keepMail(
  { store, now }: SmtpDeps,
  stream: Readable & { sizeExceeded?: boolean },
  envelope: { from: string; to: string[] },
): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(chunk as Buffer);
  if (stream.sizeExceeded) throw Object.assign(new Error('The mail is too large'), { responseCode: 552 });
  const mail = { id: inventHex(12), at: now().toISOString(), ...envelope, ...(await readMail(Buffer.concat(chunks))) };
  store.update(({ mails }) => {
    mails.push(mail);
    if (mails.length > KEPT) mails.shift();
  });
  return mail.id;
}
