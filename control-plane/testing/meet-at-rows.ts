import { waitFor } from '../../test/harness/wait.ts';
import type { Db } from '../db/connect.ts';

/** Holds every row of a table until `count` of what `run` starts wait for one, so that they really meet; answers what `run` does. */
export async function meetAtRows<T>(db: Db, table: string, count: number, run: () => Promise<T>): Promise<T> {
  const hold = await db.transaction();
  try {
    await hold(table).forUpdate().select();
    const running = run();
    await waitFor(`${count} that wait for rows of ${table}`, async () => {
      const waiting = db('pg_stat_activity').where('wait_event_type', 'Lock');
      const [row] = await waiting.whereRaw('datname = current_database()').count();
      return Number(row?.['count']) >= count;
    });
    await hold.commit();
    return await running;
  } finally {
    if (!hold.isCompleted()) await hold.rollback();
  }
}
