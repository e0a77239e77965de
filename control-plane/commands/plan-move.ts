import { type Fault, SpoqError } from '../../contract/errors.ts';
import { PROVIDERS, type ProviderName } from '../../contract/vps.ts';
import type { Config } from '../config.ts';
import type { UserVpsRow } from '../db/user-vps.ts';
import { REGIONS, type Region } from '../regions/regions.ts';

/** Where a box shall go. Its size is the one of the plan that is paid. */
export interface MoveWish {
  /** `<provider>/<region>`, as listPlaces has them. */
  to?: string | undefined;
}

export interface Place {
  id: string;
  provider: ProviderName;
  region: Region;
}

/** Every place where a box can be made with the credentials that there are. */
export function listPlaces(config: Config): Place[] {
  return PROVIDERS.filter((provider) => isConfigured(config, provider)).flatMap((provider) =>
    REGIONS[provider].map((region) => ({ id: `${provider}/${region.id}`, provider, region })),
  );
}

export function isConfigured(config: Config, provider: ProviderName): boolean {
  return provider === 'contabo' ? config.CONTABO_CLIENT_ID !== undefined : config.HOSTINGER_API_KEY !== undefined;
}

/**
 * The machine that a wish leads to.
 * @throws SpoqError `invalid_request` with every fault at once; `conflict` where boxes can't be moved, or this one is there already
 */
export function planMove(
  config: Config,
  box: Pick<UserVpsRow, 'provider' | 'region' | 'plan'>,
  { to }: MoveWish,
): Pick<UserVpsRow, 'provider' | 'region' | 'plan'> {
  if (config.BOX_CONVERGE !== 'ssh')
    throw new SpoqError('conflict', { detail: 'This machine has no SSH server to copy it by. Nothing was done.' });
  const faults: Fault[] = [];
  const places = listPlaces(config);
  const place = to === undefined ? undefined : places.find(({ id }) => id === to);
  if (to !== undefined && place === undefined)
    faults.push({ field: 'to', message: `is none of ${places.map(({ id }) => id).join(', ')}` });
  if (faults.length > 0)
    throw new SpoqError('invalid_request', {
      detail: `${faults.map(({ field, message }) => `${field} ${message}`).join('; ')}. Nothing was done.`,
      faults,
    });
  const wanted = { provider: place?.provider ?? box.provider, region: place?.region.id ?? box.region, plan: box.plan };
  if (wanted.provider === box.provider && wanted.region === box.region)
    throw new SpoqError('conflict', {
      detail: `The box is at ${box.provider}/${box.region} already. Nothing was done.`,
    });
  return wanted;
}
