/** What can be ordered, from Contabo's document and product pages of 2026. Disk in MB, memory in MB. */
export interface Product {
  id: string;
  name: string;
  cores: number;
  ramMb: number;
  diskMb: number;
  type: 'ssd' | 'nvme';
}

const SIZES = [
  { cores: 4, gb: 8, ssd: 100, nvme: 150 },
  { cores: 6, gb: 12, ssd: 200, nvme: 300 },
  { cores: 8, gb: 24, ssd: 300, nvme: 450 },
  { cores: 12, gb: 48, ssd: 400, nvme: 600 },
  { cores: 16, gb: 64, ssd: 500, nvme: 750 },
  { cores: 18, gb: 96, ssd: 600, nvme: 900 },
];

/** V153..V158 with SSD, V159..V164 with NVMe. */
export const PRODUCTS: readonly Product[] = [
  ...SIZES.map(({ cores, gb, ssd }, index): Product => {
    const name = `Cloud VPS ${cores}`;
    return { id: `V${153 + index}`, name, cores, ramMb: gb * 1024, diskMb: ssd * 1024, type: 'ssd' };
  }),
  ...SIZES.map(({ cores, gb, nvme }, index): Product => {
    const name = `Cloud VPS Plus ${cores}`;
    return { id: `V${159 + index}`, name, cores, ramMb: gb * 1024, diskMb: nvme * 1024, type: 'nvme' };
  }),
];

export const DEFAULT_PRODUCT = 'V153';
export const DEFAULT_IMAGE = 'afecbb85-e2fc-46f0-9684-b46b1faf00bb';
export const DEFAULT_REGION = 'EU';
/** Months. 1, 12 and 24 are offered now; 3 and 6 by older documents and clients. */
export const PERIODS: readonly number[] = [1, 3, 6, 12, 24];
export const USERS: readonly string[] = ['root', 'admin', 'administrator'];

export const IMAGES = [
  { id: DEFAULT_IMAGE, name: 'ubuntu-22.04', description: 'Ubuntu 22.04 (LTS)', version: '22.04' },
  {
    id: 'd64d5c6c-9dda-4e38-8174-0ee282474d8a',
    name: 'ubuntu-24.04',
    description: 'Ubuntu 24.04 (LTS)',
    version: '24.04',
  },
  { id: '4efbc0ba-2313-4fe1-842a-516f8652e729', name: 'debian-12', description: 'Debian 12', version: '12' },
] as const;

/** Regions by slug, with the name and the first data center of each. */
export const REGIONS = [
  { slug: 'EU', name: 'European Union', center: 'European Union 1', centerSlug: 'EU1' },
  { slug: 'US-central', name: 'United States (Central)', center: 'United States Central 1', centerSlug: 'US-central1' },
  { slug: 'US-east', name: 'United States (East)', center: 'United States East 1', centerSlug: 'US-east1' },
  { slug: 'US-west', name: 'United States (West)', center: 'United States West 1', centerSlug: 'US-west1' },
  { slug: 'SIN', name: 'Singapore', center: 'Singapore 1', centerSlug: 'SIN1' },
  { slug: 'UK', name: 'United Kingdom', center: 'United Kingdom 1', centerSlug: 'UK1' },
  { slug: 'AUS', name: 'Australia', center: 'Australia 1', centerSlug: 'AUS1' },
  { slug: 'JPN', name: 'Japan', center: 'Japan 1', centerSlug: 'JPN1' },
  { slug: 'IND', name: 'India', center: 'India 1', centerSlug: 'IND1' },
] as const;

/** The account that everything in the sandbox belongs to. */
export const ACCOUNT = { tenantId: 'INT', customerId: '54321' } as const;
