import type { BillingNotice } from '../../contract/billing.ts';
import type { VpsEvent, VpsResource } from '../../contract/vps.ts';
import type { Config } from '../config.ts';
import type { UserVpsRow } from '../db/user-vps.ts';
import type { VpsEventRow } from '../db/vps-events.ts';

/** The base URL of a box. */
export function toBoxUrl(config: Pick<Config, 'BOX_URL_TEMPLATE'>, hostname: string): string {
  return config.BOX_URL_TEMPLATE.replace('{hostname}', hostname);
}

export function presentVpsEvent({ seq, step, state, message, part, at }: VpsEventRow): VpsEvent {
  return { seq, step, state, message, ...(part === null ? {} : { part }), at: at.toISOString() };
}

/** A box as its owner sees it: GET /api/vps/status. */
export function presentVps(
  config: Pick<Config, 'BOX_URL_TEMPLATE'>,
  box: UserVpsRow,
  events: VpsEventRow[],
  notice: BillingNotice | undefined,
): VpsResource {
  return {
    id: box.id,
    status: box.status,
    provider: box.provider,
    region: box.region,
    hostname: box.hostname,
    url: toBoxUrl(config, box.hostname),
    ip_address: box.ip_address,
    ssh_username: box.ssh_username,
    ssh_host_key_fingerprint: box.ssh_host_key_fingerprint,
    // While it is still being taken down again, the reason is only noted.
    failure: box.status === 'failed' ? box.failure : null,
    operation: box.operation,
    operation_failure: box.operation_failure,
    suspended_at: box.suspended_at?.toISOString() ?? null,
    notice: notice ?? null,
    created_at: box.created_at.toISOString(),
    ready_at: box.ready_at?.toISOString() ?? null,
    events: events.map(presentVpsEvent),
  };
}
