import type { Readable } from 'node:stream';
import { SpoqError } from '../../contract/errors.ts';
import { AUDIT_EXPORT, EXPORTED_TABLES } from '../db/exported-tables.ts';
import { listCustomersOf, readExport, type ExportedRow } from '../db/read-export.ts';
import type { Deps } from '../deps.ts';
import { listInvoices } from '../integrations/stripe-invoices.ts';
import { describeExport, INVOICES_FILE, README_FILE } from '../presenters/export.ts';
import { createZip, type ZipEntry } from '../zip.ts';
import { recordAudit } from './audit.ts';

type ExportDeps = Pick<Deps, 'db' | 'stripe' | 'now' | 'log'>;
type Person = { id: string; username: string };

const NO_INVOICES = 'Stripe did not answer. Ask for another archive later; your subscription page shows them too.';

/** All that we know of a person, as a zip archive that is made while it is read. That they asked for it is in there too. */
export async function exportAccount(deps: ExportDeps, user: Person, ip: string): Promise<Readable> {
  const at = deps.now();
  await deps.db.transaction((tx) =>
    recordAudit(tx, { at, actor: `user:${user.id}`, user_id: user.id, action: 'account.exported', ip }),
  );
  return createZip(listEntries(deps, user, at), at);
}

/** The audit log about a person, one line of JSON for each row, the oldest first. */
export async function* readActivityLines(deps: Pick<Deps, 'db'>, userId: string): AsyncGenerator<string> {
  for await (const rows of readExport(deps.db, AUDIT_EXPORT, userId))
    yield rows.map((row) => `${JSON.stringify(row)}\n`).join('');
}

/** Last of all the page that says what is there: only then is it known. */
async function* listEntries(deps: ExportDeps, user: Person, at: Date): AsyncGenerator<ZipEntry> {
  for (const table of EXPORTED_TABLES)
    yield {
      name: table.file,
      parts:
        table === AUDIT_EXPORT ? readActivityLines(deps, user.id) : toJsonList(readExport(deps.db, table, user.id)),
    };
  const invoices = await readInvoices(deps, user.id);
  if (invoices !== undefined) yield { name: INVOICES_FILE, parts: toJsonList(single(invoices)) };
  const missing = invoices === undefined ? [{ file: INVOICES_FILE, why: NO_INVOICES }] : [];
  yield { name: README_FILE, parts: single(describeExport(user.username, at, missing)) };
}

/** Undefined while Stripe doesn't answer: the rest of the archive is ours. */
async function readInvoices(deps: ExportDeps, userId: string): Promise<ExportedRow[] | undefined> {
  const customers = await listCustomersOf(deps.db, userId);
  try {
    return (await listInvoices(deps, customers)).map((invoice) => ({ ...invoice }));
  } catch (err) {
    if (!(err instanceof SpoqError)) throw err;
    deps.log.warn({ err }, 'an export goes without invoices');
    return undefined;
  }
}

/** A JSON list, one row a line. */
async function* toJsonList(batches: AsyncIterable<ExportedRow[]>): AsyncGenerator<string> {
  let before = '[\n';
  for await (const rows of batches) {
    yield before + rows.map((row) => JSON.stringify(row)).join(',\n');
    before = ',\n';
  }
  yield before === '[\n' ? '[]\n' : '\n]\n';
}

async function* single<T>(value: T): AsyncGenerator<T> {
  yield value;
}
