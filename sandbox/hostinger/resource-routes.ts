import { Router } from '@koa/router';
import type { Clock } from '../clock.ts';
import type { RequestState } from '../parse-body.ts';
import type { Store } from '../state.ts';
import { Faults, HostingerError } from './errors.ts';
import { asObject, checkKey } from './parse-setup.ts';
import { presentPage } from './present.ts';
import { type HostingerState, type Script, takeId } from './state.ts';

/** "Maximum 48 KB". */
const SCRIPT_LIMIT = 48 * 1024;
const ACCEPTED = { message: 'Request accepted' };

/** Post-install scripts and public keys: what purchases, set-ups and recreates refer to by number. */
export function createResourceRoutes({
  store,
  clock,
}: {
  store: Store<HostingerState>;
  clock: Clock;
}): Router<RequestState> {
  const router = new Router<RequestState>({ prefix: '/api/vps/v1' });
  const getScript = (id: unknown): Script => {
    const script = store.data.scripts.find((one) => one.id === Number(id));
    if (!script) throw new HostingerError(404, 'Post-install script not found');
    return script;
  };
  router.get('/post-install-scripts', (ctx) => {
    ctx.body = presentPage(
      store.data.scripts.map((script) => ({ ...script })),
      ctx.query['page'],
    );
  });
  router.post('/post-install-scripts', (ctx) => {
    const fields = parseScript(ctx.state.body);
    const at = clock.now().toISOString();
    ctx.body = store.update((data) => {
      const script = { id: takeId(data), ...fields, created_at: at, updated_at: at };
      data.scripts.push(script);
      return script;
    });
  });
  router.get('/post-install-scripts/:id', (ctx) => {
    ctx.body = getScript(ctx.params['id']);
  });
  router.put('/post-install-scripts/:id', (ctx) => {
    const script = getScript(ctx.params['id']);
    const fields = parseScript(ctx.state.body);
    ctx.body = store.update(() => Object.assign(script, fields, { updated_at: clock.now().toISOString() }));
  });
  router.delete('/post-install-scripts/:id', (ctx) => {
    const script = getScript(ctx.params['id']);
    store.update((data) => {
      data.scripts = data.scripts.filter((one) => one !== script);
    });
    ctx.body = ACCEPTED;
  });

  router.get('/public-keys', (ctx) => {
    ctx.body = presentPage(
      store.data.keys.map((key) => ({ ...key })),
      ctx.query['page'],
    );
  });
  router.post('/public-keys', (ctx) => {
    const { name, key } = asObject(ctx.state.body);
    const faults = new Faults();
    if (typeof name !== 'string' || name === '') faults.add('name', 'The name field is required.');
    checkKey(key, 'key', faults);
    faults.throwIfAny();
    ctx.body = store.update((data) => {
      const made = { id: takeId(data), name: String(name), key: String(key) };
      data.keys.push(made);
      return made;
    });
  });
  router.delete('/public-keys/:id', (ctx) => {
    const id = Number(ctx.params['id']);
    if (!store.data.keys.some((key) => key.id === id)) throw new HostingerError(404, 'Public key not found');
    store.update((data) => {
      data.keys = data.keys.filter((key) => key.id !== id);
    });
    ctx.body = ACCEPTED;
  });
  return router;
}

function parseScript(body: unknown): Pick<Script, 'name' | 'content'> {
  const { name, content } = asObject(body);
  const faults = new Faults();
  if (typeof name !== 'string' || name === '') faults.add('name', 'The name field is required.');
  if (typeof content !== 'string' || content === '') faults.add('content', 'The content field is required.');
  else if (Buffer.byteLength(content) > SCRIPT_LIMIT) {
    faults.add('content', 'The content field must not be greater than 48 kilobytes.');
  }
  faults.throwIfAny();
  return { name: String(name), content: String(content) };
}
