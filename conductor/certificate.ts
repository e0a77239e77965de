import { once } from 'node:events';
import { connect } from 'node:tls';
import type { BoxStatus } from '../contract/conductor.ts';

type Certificate = NonNullable<BoxStatus['certificate']>;

/** What the front door of this machine shows who asks for `hostname`; null where there is none, or it doesn't answer. */
export type FindCertificate = () => Promise<Certificate | null>;

/** It changes every two months; a front door that has just begun to answer is seen soon. */
const KEEP_MS = 10 * 60_000;
const KEEP_ABSENCE_MS = 30_000;
const ANSWER_MS = 1_000;

/** Asks port 443 of this machine by the box's name, and remembers the answer for a while. `now`: milliseconds. */
export function createFindCertificate(hostname: string, now: () => number, port = 443): FindCertificate {
  let known: { until: number; found: Promise<Certificate | null> } | undefined;
  return () => {
    if (known !== undefined && now() < known.until) return known.found;
    const found = readCertificate(hostname, port).catch(() => null);
    const entry = { until: now() + KEEP_MS, found };
    known = entry;
    void found.then((certificate) => {
      if (certificate === null) entry.until = now() + KEEP_ABSENCE_MS;
    });
    return found;
  };
}

/** Only looks: whether it is to be trusted is for those to say who come from outside. */
async function readCertificate(hostname: string, port: number): Promise<Certificate> {
  const socket = connect({ host: '127.0.0.1', port, servername: hostname, rejectUnauthorized: false });
  socket.setTimeout(ANSWER_MS, () => socket.destroy(new Error('no answer')));
  try {
    await once(socket, 'secureConnect');
    const { subject, subjectaltname, issuer, valid_to } = socket.getPeerCertificate();
    const name = [subjectaltname?.replace(/^DNS:/, '').split(', DNS:')[0], subject?.CN].flat().find((one) => one);
    return {
      name: name ?? hostname,
      issuer: [issuer?.O, issuer?.CN].flat().find((one) => one) ?? 'unknown',
      ends_at: new Date(valid_to).toISOString(),
    };
  } finally {
    socket.destroy();
  }
}
