import type { Knex } from 'knex';
import * as identity from './001-identity.ts';
import * as boxes from './002-boxes.ts';
import * as billing from './003-billing.ts';
import * as boot from './004-boot.ts';
import * as operations from './005-operations.ts';
import * as rollouts from './006-rollouts.ts';
import * as moves from './007-moves.ts';
import * as money from './008-money.ts';
import * as mails from './009-mails.ts';
import * as oauth from './010-oauth.ts';
import * as account from './011-account.ts';
import * as leaving from './012-leaving.ts';

/** Every migration by name, in order. They only go forward and are never edited once released. */
const MIGRATIONS: Record<string, { up(knex: Knex): Promise<void> }> = {
  '001-identity': identity,
  '002-boxes': boxes,
  '003-billing': billing,
  '004-boot': boot,
  '005-operations': operations,
  '006-rollouts': rollouts,
  '007-moves': moves,
  '008-money': money,
  '009-mails': mails,
  '010-oauth': oauth,
  '011-account': account,
  '012-leaving': leaving,
};

/** Knex's migration source: an explicit list, so that a compiled or bundled server needs no folder to read. */
export const migrationSource: Knex.MigrationSource<string> = {
  getMigrations: async () => Object.keys(MIGRATIONS),
  getMigrationName: (name) => name,
  getMigration: async (name) => {
    const migration = MIGRATIONS[name];
    if (migration === undefined) throw new Error(`There is no migration ${name}`);
    return {
      up: migration.up,
      down: async () => {
        throw new Error('Migrations only go forward');
      },
    };
  },
};
