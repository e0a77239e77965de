import Koa from 'koa';
import { Pool } from 'pg';
import { getRawBody } from 'raw-body';

/** As many as the control plane's web server has. */
const CONNECTIONS = 20;

const { FLOOR_PORT: port, DATABASE_URL: connectionString } = process.env;
if (!port || !connectionString) {
  process.stderr.write('FLOOR_PORT and DATABASE_URL must be set\n');
  process.exit(2);
}
const pool = new Pool({ connectionString, max: CONNECTIONS });
const app = new Koa();
app.use(async (ctx) => {
  if (ctx.method === 'GET') return void (ctx.body = 'ready');
  const { id } = JSON.parse(await getRawBody(ctx.req, { encoding: 'utf8' })) as { id: number };
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    const found = await client.query<{ changes: number }>('SELECT changes FROM floor WHERE id = $1', [id]);
    const changes = (found.rows[0]?.changes ?? 0) + 1;
    await client.query('UPDATE floor SET changes = $2 WHERE id = $1', [id, changes]);
    await client.query('COMMIT');
    ctx.body = { id, changes };
  } finally {
    client.release();
  }
});
app.listen(Number(port), '127.0.0.1');
