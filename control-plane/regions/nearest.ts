import type { ProviderName } from '../../contract/vps.ts';
import { REGIONS, type Region } from './regions.ts';
// From the tz database's zone.tab (public domain, 2025b), old names included: latitude and longitude of each zone's city.
import zones from './time-zones.json' with { type: 'json' };

const EARTH_RADIUS_KM = 6371;
const COORDINATES = new Map(Object.entries(zones as unknown as Record<string, [number, number]>));

/** For browsers that tell no time zone: where most people are whose browser prefers that language or country. */
const LANGUAGE_ZONES: Record<string, string> = {
  us: 'America/Chicago',
  ca: 'America/Toronto',
  gb: 'Europe/London',
  ie: 'Europe/Dublin',
  au: 'Australia/Sydney',
  nz: 'Pacific/Auckland',
  in: 'Asia/Kolkata',
  sg: 'Asia/Singapore',
  br: 'America/Sao_Paulo',
  mx: 'America/Mexico_City',
  za: 'Africa/Johannesburg',
  ng: 'Africa/Lagos',
  ja: 'Asia/Tokyo',
  ko: 'Asia/Seoul',
  zh: 'Asia/Shanghai',
  hi: 'Asia/Kolkata',
  id: 'Asia/Jakarta',
  vi: 'Asia/Ho_Chi_Minh',
  th: 'Asia/Bangkok',
  pt: 'America/Sao_Paulo',
  en: 'America/New_York',
};

export interface NearRegion {
  region: Region;
  /** Great-circle distance, rounded. */
  distanceKm: number;
}

/**
 * The provider's regions, the nearest first, seen from an IANA time zone's city. An unknown or missing zone falls back to the
 * browser's languages, and these to the provider's first region.
 */
export function listRegionsByDistance(
  provider: ProviderName,
  place: { timeZone?: string | undefined; languages?: string | undefined },
): NearRegion[] {
  const first = REGIONS[provider][0];
  const here = (place.timeZone === undefined ? undefined : COORDINATES.get(place.timeZone)) ??
    zoneOfLanguages(place.languages ?? '') ?? [first.latitude, first.longitude];
  return REGIONS[provider]
    .map((region) => ({
      region,
      distanceKm: Math.round(measureDistanceKm(here, [region.latitude, region.longitude])),
    }))
    .toSorted((a, b) => a.distanceKm - b.distanceKm);
}

/** Great-circle distance of two places (latitude, longitude) by the haversine formula. */
export function measureDistanceKm([lat1, lon1]: [number, number], [lat2, lon2]: [number, number]): number {
  const radians = (degrees: number) => (degrees * Math.PI) / 180;
  const half =
    Math.sin(radians(lat2 - lat1) / 2) ** 2 +
    Math.cos(radians(lat1)) * Math.cos(radians(lat2)) * Math.sin(radians(lon2 - lon1) / 2) ** 2;
  return 2 * EARTH_RADIUS_KM * Math.asin(Math.min(1, Math.sqrt(half)));
}

/** `Accept-Language: en-AU,en;q=0.9`: the first country or language that says something. */
function zoneOfLanguages(header: string): [number, number] | undefined {
  for (const range of header.toLowerCase().slice(0, 200).split(',')) {
    const [language = '', ...rest] = (range.split(';')[0] ?? '').trim().split('-');
    const country = rest.find((part) => part.length === 2);
    const zone = LANGUAGE_ZONES[country ?? ''] ?? (country === undefined ? LANGUAGE_ZONES[language] : undefined);
    const found = zone === undefined ? undefined : COORDINATES.get(zone);
    if (found !== undefined) return found;
  }
  return undefined;
}
