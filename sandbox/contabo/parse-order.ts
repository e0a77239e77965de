import {
  DEFAULT_IMAGE,
  DEFAULT_PRODUCT,
  DEFAULT_REGION,
  IMAGES,
  PERIODS,
  PRODUCTS,
  REGIONS,
  USERS,
} from './catalog.ts';
import { ContaboError } from './errors.ts';
import type { Secret } from './state.ts';

/** What a create or a reinstall asks for, with Contabo's defaults filled in. */
export interface Order {
  image_id: string;
  product_id: string;
  region: string;
  period_months: number;
  display_name: string;
  default_user: string;
  ssh_keys: number[];
  user_data?: string;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Reads the body of a create; all faults at once, as 400. */
export function parseOrder(body: unknown, secrets: Secret[]): Order {
  const fields = asObject(body);
  const faults: string[] = [];
  const period = fields['period'];
  if (period === undefined) faults.push('period should not be empty', 'period must be a number');
  else if (!PERIODS.includes(Number(period))) {
    faults.push(`period must be one of the following values: ${PERIODS.join(', ')}`);
  }
  const order = {
    ...readDisk(fields, secrets, faults),
    product_id: pick(
      fields,
      'productId',
      DEFAULT_PRODUCT,
      PRODUCTS.map(({ id }) => id),
      faults,
    ),
    region: pick(
      fields,
      'region',
      DEFAULT_REGION,
      REGIONS.map(({ slug }) => slug),
      faults,
    ),
    period_months: Number(period),
    display_name: readDisplayName(fields, faults) ?? '',
  };
  if (faults.length > 0) throw new ContaboError(400, faults);
  return order;
}

/** Reads the body of a reinstall, where only the image is required. */
export function parseReinstall(
  body: unknown,
  secrets: Secret[],
): Pick<Order, 'image_id' | 'user_data' | 'default_user'> {
  const fields = asObject(body);
  const faults: string[] = [];
  if (fields['imageId'] === undefined) faults.push('imageId should not be empty', 'imageId must be a UUID');
  const disk = readDisk(fields, secrets, faults);
  if (faults.length > 0) throw new ContaboError(400, [...new Set(faults)]);
  return disk;
}

/** Reads the body of a patch: only the displayName can be changed. */
export function parsePatch(body: unknown): string | undefined {
  const faults: string[] = [];
  const name = readDisplayName(asObject(body), faults);
  if (faults.length > 0) throw new ContaboError(400, faults);
  return name;
}

export function asObject(body: unknown): Record<string, unknown> {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new ContaboError(400, 'Unexpected end of JSON input');
  }
  return body as Record<string, unknown>;
}

function readDisk(
  fields: Record<string, unknown>,
  secrets: Secret[],
  faults: string[],
): Pick<Order, 'image_id' | 'user_data' | 'default_user' | 'ssh_keys'> {
  const image = fields['imageId'] ?? DEFAULT_IMAGE;
  if (typeof image !== 'string' || !UUID.test(image)) faults.push('imageId must be a UUID');
  else if (!IMAGES.some(({ id }) => id === image)) faults.push(`imageId ${image} does not exist`);
  const userData = fields['userData'];
  if (userData !== undefined && typeof userData !== 'string') faults.push('userData must be a string');
  const password = fields['rootPassword'];
  if (password !== undefined && !hasSecret(secrets, password, 'password')) {
    faults.push('rootPassword must be the secretId of a password');
  }
  const keys = fields['sshKeys'] ?? [];
  if (!Array.isArray(keys) || !keys.every((key) => hasSecret(secrets, key, 'ssh'))) {
    faults.push('sshKeys must be an array of secretIds of ssh keys');
  }
  return {
    image_id: String(image),
    default_user: pick(fields, 'defaultUser', 'admin', USERS, faults),
    ssh_keys: Array.isArray(keys) ? keys.map(Number) : [],
    ...(typeof userData === 'string' && userData !== '' ? { user_data: userData } : {}),
  };
}

function pick(
  fields: Record<string, unknown>,
  field: string,
  fallback: string,
  values: readonly string[],
  faults: string[],
): string {
  const value = fields[field] ?? fallback;
  if (values.includes(String(value))) return String(value);
  faults.push(`${field} must be one of the following values: ${values.join(', ')}`);
  return fallback;
}

/** No dots: a host name can't be a displayName. The sentence is Contabo's. */
function readDisplayName(fields: Record<string, unknown>, faults: string[]): string | undefined {
  const name = fields['displayName'];
  if (name === undefined) return undefined;
  if (typeof name !== 'string' || !/^[0-9A-Za-z -]*$/.test(name)) {
    faults.push('Only numbers, letters, spaces and - allowed.');
  } else if (name.length > 255) faults.push('displayName must be shorter than or equal to 255 characters');
  return String(name);
}

function hasSecret(secrets: Secret[], id: unknown, type: Secret['type']): boolean {
  return secrets.some((secret) => secret.id === id && secret.type === type);
}
