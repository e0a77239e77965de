import { fromKnex } from 'pg-boss';
import type { Db } from '../db/connect.ts';
import { insertMail } from '../db/mails.ts';
import { findUser } from '../db/users.ts';
import { findPaymentEmail } from '../db/checkouts.ts';
import type { Deps } from '../deps.ts';
import { QUEUES, type MailJob } from '../jobs/queues.ts';
import { drawMessage, type Message } from '../mail/message.ts';

/** Who a mail goes to: a person of ours, or the address that a payment was made with. */
export type Recipient = { userId: string } | { email: string | null };

/**
 * Writes a mail down and asks for it to be sent, with the rows of `tx`: both commit or neither.
 * @param mail.key what it is about. Whoever has been told that isn't told again
 */
export async function queueMail(
  deps: Pick<Deps, 'boss' | 'now' | 'config'>,
  tx: Db,
  mail: { to: Recipient; kind: string; key: string; message: Message },
): Promise<void> {
  const to_address = 'userId' in mail.to ? await findAddress(tx, mail.to.userId) : mail.to.email;
  const row = await insertMail(tx, {
    key: mail.key,
    kind: mail.kind,
    user_id: 'userId' in mail.to ? mail.to.userId : null,
    to_address,
    ...drawMessage(
      mail.message,
      `You get this mail since you have, or had, a subscription to Spoq at ${deps.config.BASE_URL}.`,
    ),
    created_at: deps.now(),
  });
  if (row?.to_address != null) await sendMailJob(deps, tx, row.id);
}

/** Asks for a mail to be sent. */
export async function sendMailJob(deps: Pick<Deps, 'boss'>, tx: Db, id: string): Promise<void> {
  const job: MailJob = { mail_id: id };
  await deps.boss.send(QUEUES.mail, job, { db: fromKnex(tx), singletonKey: id });
}

/** The address that GitHub has verified; of those who show none, the one that they paid with. */
async function findAddress(tx: Db, userId: string): Promise<string | null> {
  const user = await findUser(tx, userId);
  return user?.email ?? (await findPaymentEmail(tx, userId));
}
