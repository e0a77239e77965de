import { randomInt } from 'node:crypto';

/** Names that mean something to mail, browsers, certificate authorities or people, wherever they stand in front of a domain. */
const RESERVED = new Set(
  (
    'www api app auth login signin account accounts admin administrator root support help status billing pay payment ' +
    'mail email smtp imap pop pop3 mx webmail autoconfig autodiscover wpad isatap ns ns1 ns2 ns3 dns ftp sftp ssh vpn ' +
    'localhost local broadcasthost postmaster hostmaster webmaster abuse security ssladmin ssladministrator sslwebmaster ' +
    'sysadmin noc info marketing sales blog docs cdn static assets img dev staging test demo beta git proxy gateway ' +
    'internal intranet metrics health spoq conductor releases install dmarc domainkey acme mta-sts'
  ).split(' '),
);

/** A DNS label has at most 63 characters (RFC 1035); 40 leaves room for a suffix and is a character more than GitHub's 39. */
const MAX_LENGTH = 40;

/** Makes a box's label out of a GitHub login. Only plain ASCII is taken, so nothing that looks like another name slips in. */
export function toBoxLabel(login: string): string {
  if (!/^[A-Za-z0-9_-]+$/.test(login)) return 'box';
  const label = login
    .toLowerCase()
    .replaceAll('_', '-')
    // Two dashes at the third place announce an encoded name (xn--); none are needed anywhere.
    .replace(/-+/g, '-')
    .slice(0, MAX_LENGTH)
    .replace(/^-|-$/g, '');
  // A name of digits alone could be taken for a part of an address.
  if (label === '' || /^\d+$/.test(label)) return label === '' ? 'box' : `box-${label}`;
  return label;
}

/** Whether a label is kept for other uses. */
export function isReservedLabel(label: string): boolean {
  return RESERVED.has(label);
}

/** The labels to try, in order: the plain one unless it is reserved, then with a number, at last with something random. */
export function* listLabelCandidates(label: string): Generator<string> {
  if (!isReservedLabel(label)) yield label;
  for (let number = 2; number <= 9; number += 1) yield `${label}-${number}`;
  for (let tries = 0; tries < 20; tries += 1) yield `${label}-${randomInt(100_000, 1_000_000)}`;
}
