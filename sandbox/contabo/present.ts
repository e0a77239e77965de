import type { ParameterizedContext } from 'koa';
import type { RequestState } from '../parse-body.ts';
import { ACCOUNT, type IMAGES, PRODUCTS, REGIONS } from './catalog.ts';
import type { Instance, Secret } from './state.ts';

type Presented = Record<string, unknown>;

/** The envelope of one thing. Data is an array even so. */
export function presentOne(ctx: ParameterizedContext<RequestState>, data: Presented): Presented {
  return { data: [data], _links: { self: ctx.path } };
}

/** The envelope of a list: `page` from 1, `size` 10 unless asked otherwise, `orderBy=name:asc`. */
export function presentList(ctx: ParameterizedContext<RequestState>, items: Presented[]): Presented {
  const size = Math.min(readCount(ctx.query['size'], 10), 100);
  const page = readCount(ctx.query['page'], 1);
  const totalPages = Math.max(1, Math.ceil(items.length / size));
  const link = (number: number): string => `${ctx.path}?page=${number}&size=${size}`;
  return {
    _pagination: { size, totalElements: items.length, totalPages, page },
    data: sortBy(items, ctx.query['orderBy']).slice((page - 1) * size, page * size),
    _links: {
      self: link(page),
      first: link(1),
      ...(page > 1 ? { previous: link(page - 1) } : {}),
      ...(page < totalPages ? { next: link(page + 1) } : {}),
      last: link(totalPages),
    },
  };
}

function readCount(value: string | string[] | undefined, fallback: number): number {
  const count = Number(value ?? fallback);
  return Number.isSafeInteger(count) && count > 0 ? count : fallback;
}

function sortBy(items: Presented[], orderBy: string | string[] | undefined): Presented[] {
  const [field, direction] = String([orderBy].flat()[0] ?? '').split(':');
  if (!field) return items;
  const sign = direction === 'desc' ? -1 : 1;
  return items.toSorted((a, b) => sign * String(a[field]).localeCompare(String(b[field]), 'en', { numeric: true }));
}

/** An instance as get and list show it. The address is empty until the instance ran. */
export function presentInstance(instance: Instance, now: number): Presented {
  const product = PRODUCTS.find(({ id }) => id === instance.product_id);
  const region = REGIONS.find(({ slug }) => slug === instance.region);
  const hasAddress = instance.address_at !== undefined && instance.address_at <= now;
  return {
    ...ACCOUNT,
    additionalIps: [],
    name: `vmi${instance.id}`,
    displayName: instance.display_name,
    instanceId: instance.id,
    dataCenter: region?.center,
    region: instance.region,
    regionName: region?.name,
    productId: instance.product_id,
    imageId: instance.image_id,
    ipConfig: presentAddress(hasAddress ? instance : undefined),
    macAddress: `00:50:56:${instance.id.toString(16).slice(-6).match(/../g)?.join(':')}`,
    ramMb: product?.ramMb,
    cpuCores: product?.cores,
    osType: 'Linux',
    diskMb: product?.diskMb,
    sshKeys: instance.ssh_keys,
    createdDate: instance.created_at,
    // The document requires a date here, though an instance that isn't cancelled has none.
    cancelDate: instance.ends_at?.slice(0, 10) ?? null,
    status: instance.status,
    vHostId: 73_395,
    vHostNumber: 1001,
    vHostName: 'm1001',
    addOns: [],
    ...(instance.error_message === undefined ? {} : { errorMessage: instance.error_message }),
    productType: product?.type,
    productName: product?.name,
    defaultUser: instance.default_user,
    applicationId: '',
  };
}

function presentAddress(instance: Instance | undefined): Presented {
  if (!instance) {
    const none = { ip: '', netmaskCidr: 0, gateway: '' };
    return { v4: none, v6: none };
  }
  return {
    v4: { ip: instance.ipv4, netmaskCidr: 24, gateway: instance.ipv4.replace(/\d+$/, '1') },
    // RFC 3849: documentation addresses, too.
    v6: { ip: `2001:db8:${instance.id.toString(16).slice(-4)}::1`, netmaskCidr: 64, gateway: 'fe80::1' },
  };
}

/** The answer to an order: without name and without address. */
export function presentOrder(instance: Instance): Presented {
  return {
    ...presentReference(instance),
    imageId: instance.image_id,
    productId: instance.product_id,
    region: instance.region,
    addOns: [],
    osType: 'Linux',
    status: instance.status,
    sshKeys: instance.ssh_keys,
  };
}

/** The answer to a patch and a reinstall. */
export function presentReference(instance: Instance): Presented {
  return { ...ACCOUNT, instanceId: instance.id, createdDate: instance.created_at };
}

export function presentImage(image: (typeof IMAGES)[number]): Presented {
  return {
    ...ACCOUNT,
    imageId: image.id,
    name: image.name,
    description: image.description,
    url: '',
    sizeMb: 0,
    uploadedSizeMb: 0,
    osType: 'Linux',
    version: image.version,
    format: 'qcow2',
    status: 'available',
    errorMessage: '',
    standardImage: true,
    creationDate: '2024-06-03T06:27:12.000Z',
    lastModifiedDate: '2026-06-04T06:27:12.000Z',
    tags: [],
  };
}

export function presentDataCenter(region: (typeof REGIONS)[number]): Presented {
  return {
    ...ACCOUNT,
    name: region.center,
    slug: region.centerSlug,
    capabilities: ['VPS', 'VDS', 'Object-Storage', 'Private-Networking'],
    s3Url: `${region.centerSlug.toLowerCase()}.contabostorage.com`,
    regionName: region.name,
    regionSlug: region.slug,
  };
}

/** A secret; its value only where a single one is read or made. */
export function presentSecret(secret: Secret, value?: string): Presented {
  return {
    ...ACCOUNT,
    secretId: secret.id,
    name: secret.name,
    type: secret.type,
    value: value ?? '********',
    createdAt: secret.created_at,
    updatedAt: secret.created_at,
  };
}
