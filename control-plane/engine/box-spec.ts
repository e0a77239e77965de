import { MACHINE_OPERATIONS } from '../../contract/vps.ts';
import { PLANS } from '../../contract/billing.ts';
import { BOOT_REPORTS_PATH } from '../../contract/boot.ts';
import { type BoxSpec, parseBoxSpec } from '../../stacks/spec.ts';
import type { Cipher } from '../cipher.ts';
import type { BoxRelease } from '../box-release.ts';
import type { Config } from '../config.ts';
import { isOperating } from '../db/box-operations.ts';
import { toStackName, type UserVpsRow } from '../db/user-vps.ts';
import { unsealJwtSecret } from '../jwt-secret.ts';
import { unsealPasswordCrypt } from '../password/hash.ts';
import { findRegion } from '../regions/regions.ts';

/** The columns of user_vps that a box is made from. */
export type BoxRow = Pick<
  UserVpsRow,
  | 'id'
  | 'user_id'
  | 'provider'
  | 'region'
  | 'hostname'
  | 'plan'
  | 'ip_address'
  | 'ssh_password_crypt'
  | 'jwt_secret'
  | 'status'
  | 'operation'
  | 'operation_number'
  | 'operation_failure'
  | 'machine'
  | 'move'
>;

/** What a specification holds beyond a row and the configuration. */
export interface BoxSpecOptions {
  /** What it is to run; without one its first boot asks for what is newest then. */
  release?: BoxRelease;
  /** With it the box reports its first boot. Not part of what a box is: a preview needs none. */
  bootToken?: string;
}

/** Security updates may reboot a box at this hour of its own place, by the sun. */
const REBOOT_HOUR = 4;

/**
 * What a row and the configuration say a box should be.
 * @throws SpoqError `invalid_request` with every fault at once; Error when a sealed column was sealed for another row.
 */
export function buildBoxSpec(
  deps: { config: Config; cipher: Cipher },
  row: BoxRow,
  { release, bootToken }: BoxSpecOptions = {},
): BoxSpec {
  const { config, cipher } = deps;
  const hs256 = config.JWT_ALGORITHM === 'HS256';
  return parseBoxSpec({
    stack: toStackName(row.id),
    owner_id: row.user_id,
    hostname: row.hostname,
    url: config.BOX_URL_TEMPLATE.replaceAll('{hostname}', row.hostname),
    provider: row.provider,
    region: row.region,
    product: toProduct(row),
    machine: row.machine,
    move: describeMove(row),
    operation: describeOperation(row),
    password_crypt: unsealPasswordCrypt(cipher, row),
    auth: {
      issuer: config.BASE_URL,
      algorithm: config.JWT_ALGORITHM,
      ...(hs256
        ? {
            jwt_secret: unsealJwtSecret(cipher, row),
            revocations_url: `${config.BOX_CONTROL_PLANE_URL}/.well-known/revocations/${row.hostname}.jwt`,
          }
        : { jwks_url: `${config.BOX_CONTROL_PLANE_URL}/.well-known/jwks.json` }),
    },
    ai: {
      provider: config.MODEL_PROVIDER,
      model: config.MODEL,
      anthropic_base_url: config.ANTHROPIC_BASE_URL,
      openai_base_url: config.OPENAI_BASE_URL,
    },
    model_keys: { anthropic: config.ANTHROPIC_API_KEY?.reveal(), openai: config.OPENAI_API_KEY?.reveal() },
    releases: describeRelease(`${config.BOX_CONTROL_PLANE_URL}/releases`, release),
    acme:
      config.ACME_DIRECTORY_URL === undefined
        ? undefined
        : { directory_url: config.ACME_DIRECTORY_URL, ca_pem: config.ACME_CA_FILE },
    report:
      bootToken === undefined
        ? undefined
        : { url: `${config.BOX_CONTROL_PLANE_URL}${BOOT_REPORTS_PATH}`, token: bootToken },
    reboot_time: findRebootTime(row),
    converge: config.BOX_CONVERGE,
    dns: { zone_id: config.CLOUDFLARE_ZONE_ID },
  });
}

function findRebootTime({ provider, region }: Pick<BoxRow, 'provider' | 'region'>): string {
  const eastOfGreenwich = Math.round((findRegion(provider, region)?.longitude ?? 0) / 15);
  return `${String((REBOOT_HOUR - eastOfGreenwich + 24) % 24).padStart(2, '0')}:00`;
}

/** Vendor's product of a plan. */
export function toProduct({ plan, provider }: Pick<UserVpsRow, 'plan' | 'provider'>): string {
  return provider === 'contabo' ? PLANS[plan].contabo_product : PLANS[plan].hostinger_item;
}

/** A box that is to leave its old machine is on the new one already, as far as its stack is concerned. */
function describeMove({ move }: BoxRow): BoxSpec['move'] {
  if (move === null || move.stage === 'leave') return undefined;
  const { provider, region, machine, stage } = move;
  return { provider, region, product: toProduct(move), machine, stage, reboot_time: findRebootTime(move) };
}

/** Files of a version lie below its name and never change there. */
function describeRelease(url: string, release: BoxRelease | undefined) {
  return release === undefined ? { base_url: url } : { base_url: `${url}/${release.version}`, ...release };
}

/** Only what is going on: a run that wasn't asked for it neither restarts a machine nor wipes it. */
function describeOperation(row: BoxRow): BoxSpec['operation'] {
  const name = MACHINE_OPERATIONS.find((one) => one === row.operation);
  if (name === undefined || !isOperating(row)) return undefined;
  return { name, number: row.operation_number, address: row.ip_address ?? undefined };
}
