import { mkdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { SQLInputValue } from 'node:sqlite';
import { SpoqError } from '../../contract/errors.ts';
import { MIGRATIONS } from './migrations.ts';

/** A row as SQLite gives it. */
export type Row = Record<string, unknown>;

/** The box's own database: conversations and what was spent. */
export interface Store {
  /** All rows, or `[]`. Throws `storage_failed` when the disk or the file fails. */
  all(sql: string, ...values: SQLInputValue[]): Row[];
  get(sql: string, ...values: SQLInputValue[]): Row | undefined;
  run(sql: string, ...values: SQLInputValue[]): void;
  /** One transaction, on the disk when this returns; nothing of it when it throws. */
  transact<T>(work: () => T): T;
  /**
   * The work becomes part of the next transaction, which many may share: one wait for the disk instead of many. Settles when it is on the
   * disk; rejects with `storage_failed`.
   */
  soon(work: () => void): Promise<void>;
  close(): void;
}

const FILE = 'conductor.db';
/** SQLITE_CORRUPT, SQLITE_NOTADB. */
const DAMAGED = new Set([11, 26]);
/** Of the time, at most so much goes to waiting for the disk while there is a lot to write: the rest is for answering. */
const DISK_SHARE = 0.5;
const FEW = 4;

interface Waiting {
  work: () => void;
  settle: PromiseWithResolvers<void>;
}

/**
 * Opens the database in `stateDir` when it is first needed, again after it has failed: a box with a full disk must still say so. A file that is
 * damaged is put aside with its name in `onDamage`, never deleted.
 */
export function createStore(stateDir: string, onDamage: (keptAs: string) => void): Store {
  let db: DatabaseSync | undefined;
  let statements = new Map<string, ReturnType<DatabaseSync['prepare']>>();
  let waiting: Waiting[] = [];
  let scheduled = false;
  let [lastMs, lastEnd] = [0, Number.NEGATIVE_INFINITY];
  /** Transactions that came close upon each other. */
  let inARow = 0;

  const attempt = <T>(work: (open: DatabaseSync) => T): T => {
    try {
      db ??= open(stateDir, onDamage);
      return work(db);
    } catch (error) {
      if (error instanceof SpoqError || !isSqliteError(error)) throw error;
      throw storageFailed(error);
    }
  };
  const prepare = (open: DatabaseSync, sql: string): ReturnType<DatabaseSync['prepare']> => {
    const present = statements.get(sql) ?? open.prepare(sql);
    statements.set(sql, present);
    return present;
  };
  const transact = <T>(work: () => T): T =>
    attempt((open) => {
      open.exec('BEGIN IMMEDIATE');
      try {
        const result = work();
        open.exec('COMMIT');
        return result;
      } catch (error) {
        // A full disk has rolled it back already.
        if (open.isTransaction) open.exec('ROLLBACK');
        throw error;
      }
    });
  const flush = (): void => {
    scheduled = false;
    const batch = waiting;
    waiting = [];
    const began = performance.now();
    try {
      transact(() => {
        for (const { work } of batch) work();
      });
      for (const { settle } of batch) settle.resolve();
    } catch (error) {
      for (const { settle } of batch) settle.reject(error);
    }
    inARow = began - lastEnd > lastMs * 2 ? 0 : inARow + 1;
    lastEnd = performance.now();
    lastMs = lastEnd - began;
  };

  return {
    all: (sql, ...values) => attempt((open) => prepare(open, sql).all(...values)),
    get: (sql, ...values) => attempt((open) => prepare(open, sql).get(...values)),
    run: (sql, ...values) => void attempt((open) => prepare(open, sql).run(...values)),
    transact,
    soon(work) {
      const settle = Promise.withResolvers<void>();
      waiting.push({ work, settle });
      if (!scheduled) {
        scheduled = true;
        // A question and the first words of its answer don't wait for more to come; a stream of words does.
        const pauseMs = inARow < FEW ? 0 : lastEnd + lastMs * (1 / DISK_SHARE - 1) - performance.now();
        if (pauseMs < 1) setImmediate(flush);
        else setTimeout(flush, pauseMs);
      }
      return settle.promise;
    },
    close() {
      if (waiting.length > 0) flush();
      statements = new Map();
      db?.close();
      db = undefined;
    },
  };
}

function open(stateDir: string, onDamage: (keptAs: string) => void): DatabaseSync {
  const path = join(stateDir, FILE);
  try {
    return openFile(stateDir, path);
  } catch (error) {
    if (!isSqliteError(error) || !DAMAGED.has(error.errcode)) throw error;
    const keptAs = `${path}.damaged-${Date.now()}`;
    renameSync(path, keptAs);
    // They belong to the damaged file; a new one must not be given its log.
    for (const suffix of ['-wal', '-shm']) moveIfThere(`${path}${suffix}`, `${keptAs}${suffix}`);
    onDamage(keptAs);
    return openFile(stateDir, path);
  }
}

function openFile(stateDir: string, path: string): DatabaseSync {
  mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const db = new DatabaseSync(path);
  try {
    // FULL: what a client has seen survives also a machine that loses its power.
    db.exec(
      'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 5000',
    );
    migrate(db);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

function migrate(db: DatabaseSync): void {
  const { user_version: version } = db.prepare('PRAGMA user_version').get() as { user_version: number };
  for (const [index, sql] of MIGRATIONS.entries()) {
    if (index < version) continue;
    db.exec(`BEGIN IMMEDIATE; ${sql}; PRAGMA user_version = ${index + 1}; COMMIT`);
  }
}

function moveIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

function isSqliteError(error: unknown): error is Error & { errcode: number; code: string } {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ERR_SQLITE_ERROR' || code === 'ENOSPC' || code === 'EACCES' || code === 'EROFS';
}

/** The disk is full, cannot be written, or fails: what is asked for is not begun, or ends where it was last written down. */
function storageFailed(error: Error): SpoqError {
  return new SpoqError('storage_failed', {
    detail: `The box could not write to its disk (${error.message}).`,
    cause: error,
  });
}
