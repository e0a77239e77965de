import { DATA_CENTERS, PRICE_ITEMS, type PriceItem, TEMPLATES } from './catalog.ts';
import { Faults, HostingerError } from './errors.ts';
import type { HostingerState } from './state.ts';

/** How a machine shall be installed. */
export interface Setup {
  template_id: number;
  data_center_id: number;
  post_install_script_id?: number;
  hostname?: string;
  ns1?: string;
  ns2?: string;
  public_key?: { name: string; key: string };
}

export interface Purchase {
  item: PriceItem;
  setup: Setup;
}

const HOSTNAME = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+$/i;
/** A few of those that Hostinger finds on its lists of leaked ones. */
const LEAKED = new Set(['password1234', 'qwerty123456', 'administrator1', 'welcome12345', 'letmein12345']);

/** Reads a purchase; all faults at once, as 422. */
export function parsePurchase(body: unknown, state: HostingerState): Purchase {
  const fields = asObject(body);
  const faults = new Faults();
  const item = PRICE_ITEMS.find(({ id }) => id === fields['item_id']);
  if (!item) faults.add('item_id', requiredOr(fields['item_id'], 'item id'));
  const method = fields['payment_method_id'];
  if (method !== undefined && method !== state.payment_method_id) {
    faults.add('payment_method_id', 'The selected payment method id is invalid.');
  }
  const setup = readSetup(asObject(fields['setup'] ?? {}), state, faults, 'setup.');
  faults.throwIfAny();
  if (!item) throw new HostingerError(422, 'The selected item id is invalid.');
  return { item, setup };
}

/** Reads the body of a setup. */
export function parseSetup(body: unknown, state: HostingerState): Setup {
  const faults = new Faults();
  const setup = readSetup(asObject(body), state, faults, '');
  faults.throwIfAny();
  return setup;
}

/** Reads the body of a recreate: the template, and perhaps a script. */
export function parseRecreate(
  body: unknown,
  state: HostingerState,
): Pick<Setup, 'template_id' | 'post_install_script_id'> {
  const fields = asObject(body);
  const faults = new Faults();
  const template_id = readTemplate(fields, faults, '');
  checkPassword(fields['password'], 'password', faults);
  checkPassword(fields['panel_password'], 'panel_password', faults);
  const script = readScript(fields, state, faults, '');
  faults.throwIfAny();
  return { template_id, ...script };
}

/** Reads `{hostname}`. */
export function parseHostname(body: unknown): string {
  const faults = new Faults();
  const { hostname } = asObject(body);
  checkHostname(hostname, 'hostname', faults);
  faults.throwIfAny();
  return String(hostname);
}

export function asObject(body: unknown): Record<string, unknown> {
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as Record<string, unknown>;
  return {};
}

function readSetup(fields: Record<string, unknown>, state: HostingerState, faults: Faults, at: string): Setup {
  const template_id = readTemplate(fields, faults, at);
  const center = DATA_CENTERS.find(({ id }) => id === fields['data_center_id']);
  if (!center) faults.add(`${at}data_center_id`, requiredOr(fields['data_center_id'], 'data center id'));
  checkPassword(fields['password'], `${at}password`, faults);
  const setup: Setup = {
    template_id,
    data_center_id: center?.id ?? 0,
    ...readScript(fields, state, faults, at),
  };
  const { hostname, public_key: key, ns1, ns2 } = fields;
  if (hostname !== undefined) {
    checkHostname(hostname, `${at}hostname`, faults);
    setup.hostname = String(hostname);
  }
  if (key !== undefined) {
    const { name, key: text } = asObject(key);
    checkKey(text, `${at}public_key.key`, faults);
    setup.public_key = { name: String(name ?? ''), key: String(text) };
  }
  if (ns1 !== undefined) setup.ns1 = String(ns1);
  if (ns2 !== undefined) setup.ns2 = String(ns2);
  return setup;
}

function readTemplate(fields: Record<string, unknown>, faults: Faults, at: string): number {
  const template = TEMPLATES.find(({ id }) => id === fields['template_id']);
  if (!template) faults.add(`${at}template_id`, requiredOr(fields['template_id'], 'template id'));
  return template?.id ?? 0;
}

function readScript(
  fields: Record<string, unknown>,
  state: HostingerState,
  faults: Faults,
  at: string,
): { post_install_script_id?: number } {
  const id = fields['post_install_script_id'];
  if (id === undefined || id === null) return {};
  if (!state.scripts.some((script) => script.id === id)) {
    faults.add(`${at}post_install_script_id`, 'The selected post install script id is invalid.');
  }
  return { post_install_script_id: Number(id) };
}

function checkPassword(password: unknown, field: string, faults: Faults): void {
  if (password === undefined || password === null) return;
  const text = String(password);
  if (text.length < 12) faults.add(field, 'The password field must be at least 12 characters.');
  if (!/[a-z]/.test(text) || !/[A-Z]/.test(text)) {
    faults.add(field, 'The password field must contain at least one uppercase and one lowercase letter.');
  }
  if (!/\d/.test(text)) faults.add(field, 'The password field must contain at least one number.');
  if (LEAKED.has(text.toLowerCase())) {
    faults.add(field, 'The given password has appeared in a data leak. Please choose a different password.');
  }
}

function checkHostname(hostname: unknown, field: string, faults: Faults): void {
  if (typeof hostname !== 'string' || !HOSTNAME.test(hostname)) {
    faults.add(field, 'The hostname field format is invalid.');
  }
}

/** An OpenSSH public key in one line. */
export function checkKey(key: unknown, field: string, faults: Faults): void {
  if (typeof key !== 'string' || !/^(ssh-|ecdsa-|sk-)\S+ [A-Za-z0-9+/=]+( .*)?$/.test(key.trim())) {
    faults.add(field, 'The key field is not a valid SSH public key.');
  }
}

function requiredOr(value: unknown, name: string): string {
  return value === undefined ? `The ${name} field is required.` : `The selected ${name} is invalid.`;
}
