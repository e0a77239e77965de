import { Router } from '@koa/router';
import type { Clock } from '../clock.ts';
import type { RequestState } from '../parse-body.ts';
import type { Store } from '../state.ts';
import { ContaboError } from './errors.ts';
import { asObject } from './parse-order.ts';
import { presentList, presentOne, presentSecret } from './present.ts';
import type { ContaboState, Secret } from './state.ts';

/** SSH keys and passwords that an order refers to by number. */
export function createSecretRoutes({
  store,
  clock,
}: {
  store: Store<ContaboState>;
  clock: Clock;
}): Router<RequestState> {
  const router = new Router<RequestState>({ prefix: '/v1/secrets' });
  const get = (id: unknown): Secret => {
    const secret = store.data.secrets.find((one) => one.id === Number(id));
    if (!secret) throw new ContaboError(404, `Secret with id ${String(id)} not found`);
    return secret;
  };
  router.get('/', (ctx) => {
    const { name, type } = ctx.query;
    const found = store.data.secrets.filter(
      (secret) => (name === undefined || secret.name === name) && (type === undefined || secret.type === type),
    );
    ctx.body = presentList(
      ctx,
      found.map((secret) => presentSecret(secret)),
    );
  });
  router.post('/', (ctx) => {
    const fields = parseSecret(ctx.state.body);
    const secret = store.update((data): Secret => {
      data.last_secret += 1;
      const made = { id: data.last_secret, ...fields, created_at: clock.now().toISOString() };
      data.secrets.push(made);
      return made;
    });
    ctx.status = 201;
    ctx.body = presentOne(ctx, presentSecret(secret, secret.value));
  });
  router.get('/:id', (ctx) => {
    const secret = get(ctx.params['id']);
    ctx.body = presentOne(ctx, presentSecret(secret, secret.value));
  });
  router.delete('/:id', (ctx) => {
    const secret = get(ctx.params['id']);
    store.update((data) => {
      data.secrets = data.secrets.filter((one) => one !== secret);
    });
    ctx.status = 204;
  });
  return router;
}

function parseSecret(body: unknown): Pick<Secret, 'name' | 'type' | 'value'> {
  const { name, type, value } = asObject(body);
  const faults: string[] = [];
  if (typeof name !== 'string' || name.length === 0 || name.length > 255) faults.push('name should not be empty');
  if (type !== 'ssh' && type !== 'password') faults.push('type must be one of the following values: ssh, password');
  if (typeof value !== 'string' || value.length < 8) {
    faults.push('value must be longer than or equal to 8 characters');
  } else if (type === 'password' && !isStrong(value)) {
    faults.push('value must hold upper and lower case letters, and 1 digit and 2 of !@#$^&*?_~, or 3 digits and 1');
  }
  if (faults.length > 0) throw new ContaboError(400, faults);
  return { name: String(name), type: type === 'ssh' ? 'ssh' : 'password', value: String(value) };
}

/** The rule of Contabo's document for passwords. */
function isStrong(value: string): boolean {
  const count = (pattern: RegExp): number => value.match(pattern)?.length ?? 0;
  const [digits, specials] = [count(/\d/g), count(/[!@#$^&*?_~]/g)];
  const enough = (digits >= 1 && specials >= 2) || (digits >= 3 && specials >= 1);
  return /[a-z]/.test(value) && /[A-Z]/.test(value) && enough;
}
