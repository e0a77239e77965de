import type { ProviderName } from '../../contract/vps.ts';

/** A place where a box can stand. `id` is the vendor's own: Contabo's region slug, Hostinger's data center name. */
export interface Region {
  id: string;
  city: string;
  country: string;
  latitude: number;
  longitude: number;
}

/**
 * Contabo's regions are an enum of its API; it names no cities, these are its data centers' towns. Hostinger's data centers
 * come and go: its provider looks the name up at the vendor, and a box fails with a clear reason where one has closed.
 */
export const REGIONS: Record<ProviderName, readonly [Region, ...Region[]]> = {
  contabo: [
    { id: 'EU', city: 'Nuremberg', country: 'Germany', latitude: 49.5, longitude: 11.1 },
    { id: 'UK', city: 'Portsmouth', country: 'United Kingdom', latitude: 50.8, longitude: -1.1 },
    { id: 'US-east', city: 'New York', country: 'United States', latitude: 40.7, longitude: -74 },
    { id: 'US-central', city: 'St. Louis', country: 'United States', latitude: 38.6, longitude: -90.2 },
    { id: 'US-west', city: 'Seattle', country: 'United States', latitude: 47.6, longitude: -122.3 },
    { id: 'SIN', city: 'Singapore', country: 'Singapore', latitude: 1.4, longitude: 103.8 },
    { id: 'JPN', city: 'Tokyo', country: 'Japan', latitude: 35.7, longitude: 139.7 },
    { id: 'IND', city: 'Mumbai', country: 'India', latitude: 19.1, longitude: 72.9 },
    { id: 'AUS', city: 'Sydney', country: 'Australia', latitude: -33.9, longitude: 151.2 },
  ],
  hostinger: [
    { id: 'fra', city: 'Frankfurt', country: 'Germany', latitude: 50.1, longitude: 8.7 },
    { id: 'vno', city: 'Vilnius', country: 'Lithuania', latitude: 54.7, longitude: 25.3 },
    { id: 'bos2', city: 'Boston', country: 'United States', latitude: 42.4, longitude: -71.1 },
    { id: 'phx', city: 'Phoenix', country: 'United States', latitude: 33.4, longitude: -112.1 },
    { id: 'sin', city: 'Singapore', country: 'Singapore', latitude: 1.4, longitude: 103.8 },
    { id: 'gru', city: 'São Paulo', country: 'Brazil', latitude: -23.6, longitude: -46.6 },
  ],
};

export function findRegion(provider: ProviderName, id: string): Region | undefined {
  return REGIONS[provider].find((region) => region.id === id);
}
